#include "blobnode/blob_account_state.h"

/*
 * Appends that began before now go on until they are published; later ones go to the active
 * segment or behind it. So when this returns, the figures of the segments below are whole.
 */
static uint64_t settled_below(struct blob_account *account)
{
    uint64_t active = segment_log_active(account->log);
    pthread_rwlock_wrlock(&account->appending);
    pthread_rwlock_unlock(&account->appending);
    return active;
}

static uint32_t next_dead(struct blob_account *account, uint64_t below)
{
    LOCKED(&account->mutex);
    /* Where there is damage, what lies there is for the operator to judge. */
    return account->damaged > 0 ? 0 : blob_segments_dead(account->segments, below);
}

struct status blob_account_reclaim(struct blob_account *account, uint64_t *ret_removed)
{
    uint64_t below = settled_below(account);
    uint64_t removed = 0;
    uint32_t number = next_dead(account, below);
    if (number != 0) {
        TRY(blob_account_state_unsave(account)); /* It names what goes now. */
    }
    for (; number != 0; number = next_dead(account, below)) {
        struct status status = segment_log_remove(account->log, number);
        if (!status_ok(status) && status.code != STATUS_NOT_FOUND) {
            return status;
        }
        LOCKED(&account->mutex);
        blob_segments_removed(account->segments, number);
        removed++;
    }
    *ret_removed = removed;
    return OK;
}
