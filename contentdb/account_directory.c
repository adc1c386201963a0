#include "contentdb/account_directory.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"

#include <stdlib.h>

enum { REFRESH_MS = 5000, RETRY_MS = 1000, CALL_MS = 5000 };

struct account_directory {
    struct account_directory_options options;
    struct task task;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_stopping; /* Guarded by mutex, as what follows. */
    bool is_hurried;
    const struct account_snapshot *snapshot; /* Owned; never NULL. */
};

static struct status
fetch(struct account_directory *directory, const struct account_snapshot **ret_snapshot)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__ListAccountsReply *accounts = NULL;
    TRY(content_client_list_accounts(
        directory->options.client, clock_monotonic_ms() + CALL_MS, &reply, &accounts));
    return account_snapshot_new(accounts, ret_snapshot);
}

/* Put the snapshot in place; true if it says something new. */
static bool replace(struct account_directory *directory, const struct account_snapshot *snapshot)
{
    const struct account_snapshot *old = NULL;
    {
        LOCKED(&directory->mutex);
        if (account_snapshot_equal(directory->snapshot, snapshot)) {
            return false;
        }
        old = directory->snapshot;
        directory->snapshot = account_snapshot_ref(snapshot);
    }
    account_snapshot_free(old);
    return true;
}

static struct status refresh(struct account_directory *directory)
{
    OWNED(account_snapshot) const struct account_snapshot *snapshot = NULL;
    TRY(fetch(directory, &snapshot));
    if (replace(directory, snapshot) && directory->options.on_change != NULL) {
        directory->options.on_change(directory->options.context, snapshot);
    }
    return OK;
}

/* False when it is time to end. */
static bool wait_for_turn(struct account_directory *directory, int64_t until_ms)
{
    LOCKED(&directory->mutex);
    while (!directory->is_stopping && !directory->is_hurried) {
        if (!task_condition_wait(&directory->changed, &directory->mutex, until_ms)) {
            break;
        }
    }
    directory->is_hurried = false;
    return !directory->is_stopping;
}

static void run(void *context)
{
    struct account_directory *directory = context;
    int64_t refresh_ms = directory->options.refresh_ms;
    int64_t wait_ms = 0;
    do {
        struct status status = refresh(directory);
        wait_ms = status_ok(status) || refresh_ms < RETRY_MS ? refresh_ms : RETRY_MS;
    } while (wait_for_turn(directory, clock_monotonic_ms() + wait_ms));
}

struct status account_directory_start(
    const struct account_directory_options *options, struct account_directory **ret_directory)
{
    OWNED(account_directory)
    struct account_directory *directory = calloc(1, sizeof(*directory));
    if (directory == NULL) {
        return FAIL(NO_MEMORY, "account directory");
    }
    directory->options = *options;
    if (directory->options.refresh_ms == 0) {
        directory->options.refresh_ms = REFRESH_MS;
    }
    pthread_mutex_init(&directory->mutex, NULL);
    task_condition_init(&directory->changed);
    TRY(account_snapshot_new(NULL, &directory->snapshot));
    TRY(task_start(&directory->task, "accounts", run, directory));
    *ret_directory = TAKE(directory);
    return OK;
}

void account_directory_free(struct account_directory *directory)
{
    if (directory == NULL) {
        return;
    }
    {
        LOCKED(&directory->mutex);
        directory->is_stopping = true;
        pthread_cond_broadcast(&directory->changed);
    }
    task_join(&directory->task);
    account_snapshot_free(directory->snapshot);
    pthread_cond_destroy(&directory->changed);
    pthread_mutex_destroy(&directory->mutex);
    free(directory);
}

const struct account_snapshot *account_directory_take(struct account_directory *directory)
{
    LOCKED(&directory->mutex);
    return account_snapshot_ref(directory->snapshot);
}

void account_directory_hurry(struct account_directory *directory)
{
    LOCKED(&directory->mutex);
    directory->is_hurried = true;
    pthread_cond_broadcast(&directory->changed);
}
