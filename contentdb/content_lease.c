#include "contentdb/content_lease.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"

#include <stdlib.h>

enum { RENEW_MS = 60 * 1000, RETRY_MS = 1000, CALL_MS = 5000, SEQ_RENEW = UINT32_MAX - 1000000 };

struct content_lease {
    struct content_client *client; /* Outlives us. */
    struct task task;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_stopping; /* Guarded by mutex, as what follows. */
    uint64_t lease;   /* 0: none. */
    uint32_t last_seq;
    bool is_wanted; /* A new lease, now. */
};

/* Wait until it is time or something is wanted; false when it is time to end. */
static bool wait_for_turn(struct content_lease *lease, int64_t until_ms, uint64_t *ret_lease)
{
    LOCKED(&lease->mutex);
    while (!lease->is_stopping && !lease->is_wanted) {
        if (!task_condition_wait(&lease->changed, &lease->mutex, until_ms)) {
            break;
        }
    }
    *ret_lease = lease->is_wanted ? 0 : lease->lease;
    return !lease->is_stopping;
}

static void set_lease(struct content_lease *lease, uint64_t number)
{
    LOCKED(&lease->mutex);
    lease->lease = number;
    lease->last_seq = 0;
    lease->is_wanted = false;
}

/* Renew, or open a new one where there is none. */
static struct status take_turn(struct content_lease *lease, uint64_t number)
{
    if (number != 0) {
        bool is_open = false;
        TRY(content_client_renew_lease(
            lease->client, number, clock_monotonic_ms() + CALL_MS, &is_open));
        if (is_open) {
            return OK;
        }
        set_lease(lease, 0);
    }
    uint64_t opened = 0;
    TRY(content_client_open_lease(lease->client, clock_monotonic_ms() + CALL_MS, &opened));
    set_lease(lease, opened);
    return OK;
}

static bool has_ended(struct content_lease *lease)
{
    LOCKED(&lease->mutex);
    return lease->is_stopping;
}

/* Not cut short by what is wanted: that is what failed. */
static void pause_after_failure(struct content_lease *lease)
{
    int64_t until_ms = clock_monotonic_ms() + RETRY_MS;
    LOCKED(&lease->mutex);
    while (!lease->is_stopping && task_condition_wait(&lease->changed, &lease->mutex, until_ms)) {
    }
}

static void run(void *context)
{
    struct content_lease *lease = context;
    uint64_t number = 0;
    while (!has_ended(lease)) {
        struct status status = take_turn(lease, number);
        if (!status_ok(status)) {
            pause_after_failure(lease); /* Health says that there is none. */
        }
        int64_t until_ms = clock_monotonic_ms() + (status_ok(status) ? RENEW_MS : 0);
        if (!wait_for_turn(lease, until_ms, &number)) {
            return;
        }
    }
}

struct status content_lease_start(struct content_client *client, struct content_lease **ret_lease)
{
    OWNED(content_lease) struct content_lease *lease = calloc(1, sizeof(*lease));
    if (lease == NULL) {
        return FAIL(NO_MEMORY, "lease");
    }
    lease->client = client;
    pthread_mutex_init(&lease->mutex, NULL);
    task_condition_init(&lease->changed);
    TRY(task_start(&lease->task, "lease", run, lease));
    *ret_lease = TAKE(lease);
    return OK;
}

void content_lease_free(struct content_lease *lease)
{
    if (lease == NULL) {
        return;
    }
    {
        LOCKED(&lease->mutex);
        lease->is_stopping = true;
        pthread_cond_broadcast(&lease->changed);
    }
    task_join(&lease->task);
    pthread_cond_destroy(&lease->changed);
    pthread_mutex_destroy(&lease->mutex);
    free(lease);
}

struct status content_lease_next(struct content_lease *lease, struct content *ret_content)
{
    LOCKED(&lease->mutex);
    if (lease->last_seq >= SEQ_RENEW && !lease->is_wanted) {
        lease->is_wanted = true; /* In good time before the numbers are used up. */
        pthread_cond_broadcast(&lease->changed);
    }
    if (lease->lease == 0 || lease->last_seq == UINT32_MAX) {
        return FAIL(UNAVAILABLE, "no lease from the content DB");
    }
    *ret_content = content_of(lease->lease, ++lease->last_seq);
    return OK;
}

void content_lease_lost(struct content_lease *lease, const struct content *content)
{
    LOCKED(&lease->mutex);
    if (lease->lease != content_lease(content)) {
        return; /* There is a later one already. */
    }
    lease->lease = 0;
    lease->is_wanted = true;
    pthread_cond_broadcast(&lease->changed);
}

bool content_lease_is_open(struct content_lease *lease)
{
    LOCKED(&lease->mutex);
    return lease->lease != 0;
}
