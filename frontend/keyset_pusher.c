#include "frontend/keyset_pusher.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

enum { LOOK_MS = 5000, PUSH_TIMEOUT_MS = 2000 };

struct keyset_pusher {
    struct account_directory *directory;
    struct key_wallet *wallet;
    struct blob_client *blobs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_stopping;
    bool is_hurried;
    struct task task;
};

static void push_one(struct keyset_pusher *pusher, const struct account_info *info)
{
    BUFFER(keyset, KEYSET_SIZE_MAX);
    uint64_t ours = 0;
    if (!status_ok(key_wallet_keyset(pusher->wallet, &info->account, &keyset, &ours))) {
        return; /* The wallet does not have it yet. */
    }
    if (blob_client_keyset_version(pusher->blobs, info->number) >= ours) {
        return;
    }
    uint64_t version = 0;
    struct status status = blob_client_push_keyset(
        pusher->blobs, info->number, buffer_bytes(&keyset), clock_monotonic_ms() + PUSH_TIMEOUT_MS,
        &version);
    log_event(
        status_ok(status) ? LOG_DEBUG : LOG_WARN, "keyset pushed", LOG_INT("account", info->number),
        LOG_STATUS(status));
}

static void push_all(struct keyset_pusher *pusher)
{
    __attribute__((cleanup(account_snapshot_release))) const struct account_snapshot *snapshot =
        account_directory_take(pusher->directory);
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->accounts[i].state != ACCOUNT_GONE) {
            push_one(pusher, &snapshot->accounts[i]);
        }
    }
}

static void pusher_run(void *context)
{
    struct keyset_pusher *pusher = context;
    for (;;) {
        push_all(pusher);
        LOCKED(&pusher->mutex);
        /* A keyset comes into the wallet every 20 s; a look costs nothing while none is newer. */
        int64_t until = clock_monotonic_ms() + LOOK_MS;
        while (!pusher->is_stopping && !pusher->is_hurried &&
               task_condition_wait(&pusher->changed, &pusher->mutex, until)) {
        }
        if (pusher->is_stopping) {
            return;
        }
        pusher->is_hurried = false;
    }
}

struct status keyset_pusher_start(
    struct account_directory *directory, struct key_wallet *wallet, struct blob_client *blobs,
    struct keyset_pusher **ret_pusher)
{
    OWNED(keyset_pusher) struct keyset_pusher *pusher = calloc(1, sizeof(*pusher));
    if (pusher == NULL) {
        return FAIL(NO_MEMORY, "keyset pusher");
    }
    pusher->directory = directory;
    pusher->wallet = wallet;
    pusher->blobs = blobs;
    pthread_mutex_init(&pusher->mutex, NULL);
    task_condition_init(&pusher->changed);
    TRY(task_start(&pusher->task, "keyset_pusher", pusher_run, pusher));

    *ret_pusher = TAKE(pusher);
    return OK;
}

void keyset_pusher_hurry(struct keyset_pusher *pusher)
{
    LOCKED(&pusher->mutex);
    pusher->is_hurried = true;
    pthread_cond_signal(&pusher->changed);
}

void keyset_pusher_stop(struct keyset_pusher *pusher)
{
    if (pusher == NULL) {
        return;
    }
    pthread_mutex_lock(&pusher->mutex);
    pusher->is_stopping = true;
    pthread_cond_signal(&pusher->changed);
    pthread_mutex_unlock(&pusher->mutex);
    task_join(&pusher->task);
    pusher->task.is_running = false;
}

void keyset_pusher_free(struct keyset_pusher *pusher)
{
    if (pusher == NULL) {
        return;
    }
    keyset_pusher_stop(pusher);
    pthread_cond_destroy(&pusher->changed);
    pthread_mutex_destroy(&pusher->mutex);
    free(pusher);
}
