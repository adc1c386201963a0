#include "contentdb/shard_anchor.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/telemetry/log.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    TICK_MS = 50,
    PERIOD_MS = 1000,
    COMMITS_MAX = 1000,
    CALL_MS = 3000,
    FRESH_MS = 10 * 1000,
    SOLE_MS = 2 * 1000, /* The key store refuses a second instance for 3 s. */
};

struct shard_anchor {
    struct shard_anchor_options options;
    struct task task;
    pthread_mutex_t mutex;
    pthread_cond_t stop;
    bool is_stopping; /* Guarded by mutex. */
    atomic_bool is_lost;
    atomic_int_fast64_t answered_ms; /* When the call that was answered last began. */
};

/* Wait one tick; true when it is time to end. */
static bool tick(struct shard_anchor *anchor)
{
    LOCKED(&anchor->mutex);
    int64_t deadline_ms = clock_monotonic_ms() + TICK_MS;
    while (!anchor->is_stopping) {
        if (!task_condition_wait(&anchor->stop, &anchor->mutex, deadline_ms)) {
            return false;
        }
    }
    return true;
}

static struct status set_anchor(struct shard_anchor *anchor, const struct kv_anchor *reached)
{
    const struct shard_anchor_options *options = &anchor->options;
    struct key_shard_anchor set = {.fence = reached->fence, .seq = reached->seq};
    memcpy(set.chain_tag, reached->chain_tag, sizeof(set.chain_tag));
    OWNED(key_grant_keys) struct key_grant_keys *grants = NULL;
    int64_t now_ms = clock_monotonic_ms();
    TRY(key_client_anchor(
        options->key_client, options->shard, &options->instance, &set, now_ms + CALL_MS, &grants));
    atomic_store(&anchor->answered_ms, now_ms);
    grant_gate_update(options->gate, &grants);
    return OK;
}

static void run(void *context)
{
    struct shard_anchor *anchor = context;
    int64_t tried_ms = 0;
    uint64_t seq = 0;
    enum status_code last = STATUS_OK;
    while (!tick(anchor)) {
        struct kv_anchor reached;
        kv_anchor_get(anchor->options.kv, &reached);
        int64_t now_ms = clock_monotonic_ms();
        bool is_due = now_ms - tried_ms >= PERIOD_MS;
        if (!is_due && (last != STATUS_OK || reached.seq - seq < COMMITS_MAX)) {
            continue;
        }
        tried_ms = now_ms;
        struct status status = set_anchor(anchor, &reached);
        if (status.code == STATUS_STALE) {
            atomic_store(&anchor->is_lost, true);
            anchor->options.on_lost(anchor->options.context, status);
            return;
        }
        if (status_ok(status)) {
            seq = reached.seq;
        }
        if (status.code != last) {
            log_event(LOG_WARN, "anchor", LOG_STATUS(status));
        }
        last = status.code;
    }
}

struct status
shard_anchor_start(const struct shard_anchor_options *options, struct shard_anchor **ret_anchor)
{
    OWNED(shard_anchor) struct shard_anchor *anchor = calloc(1, sizeof(*anchor));
    if (anchor == NULL) {
        return FAIL(NO_MEMORY, "anchor");
    }
    anchor->options = *options;
    pthread_mutex_init(&anchor->mutex, NULL);
    task_condition_init(&anchor->stop);
    atomic_init(&anchor->is_lost, false);
    atomic_init(&anchor->answered_ms, options->opened_ms);
    TRY(task_start(&anchor->task, "anchor", run, anchor));
    *ret_anchor = TAKE(anchor);
    return OK;
}

void shard_anchor_free(struct shard_anchor *anchor)
{
    if (anchor == NULL) {
        return;
    }
    {
        LOCKED(&anchor->mutex);
        anchor->is_stopping = true;
        pthread_cond_signal(&anchor->stop);
    }
    task_join(&anchor->task);
    pthread_cond_destroy(&anchor->stop);
    pthread_mutex_destroy(&anchor->mutex);
    free(anchor);
}

int64_t shard_anchor_age_ms(struct shard_anchor *anchor)
{
    return clock_monotonic_ms() - atomic_load(&anchor->answered_ms);
}

bool shard_anchor_is_fresh(struct shard_anchor *anchor)
{
    return !atomic_load(&anchor->is_lost) && shard_anchor_age_ms(anchor) < FRESH_MS;
}

bool shard_anchor_is_sole(struct shard_anchor *anchor)
{
    return !atomic_load(&anchor->is_lost) && shard_anchor_age_ms(anchor) < SOLE_MS;
}
