#include "blobnode/blob_account_state.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"

static bool breaker_admits(struct blob_account *account, size_t count)
{
    LOCKED(&account->mutex);
    int64_t now_ms = clock_monotonic_ms();
    if (account->minute_start_ms == 0 || now_ms - account->minute_start_ms >= 60000) {
        account->minute_start_ms = now_ms;
        account->minute_deletes = 0;
    }
    if (account->minute_deletes + count > account->options.deletes_minute_max) {
        return false;
    }
    account->minute_deletes += count;
    return true;
}

/* Append a tombstone: NONE, and *ret_lsn, *ret_place say which. Or STORED: it was in the trash. */
static enum blob_outcome delete_one(
    struct blob_account *account, const struct id16 *id, uint64_t now_s, uint64_t *ret_lsn,
    struct blob_place *ret_place)
{
    {
        LOCKED(&account->mutex);
        struct blob_place *place = blob_index_get(account->index, id);
        if (place != NULL && place->state == BLOB_STATE_TRASH) {
            return BLOB_STORED; /* It came there only once its tombstone was durable. */
        }
        if (place == NULL || place->state != BLOB_STATE_LIVE) {
            return BLOB_NOT_FOUND;
        }
        *ret_place = *place;
    }
    uint8_t payload[TOMBSTONE_SIZE];
    encode_u64(payload, now_s);
    encode_u64(payload + 8, ret_place->lsn);
    struct bytes part = BYTES_ARRAY(payload);
    struct segment_record record;
    if (!status_ok(
            segment_log_append(account->log, id->bytes, RECORD_TOMBSTONE, &part, 1, &record))) {
        return BLOB_FAILED;
    }
    *ret_lsn = record.lsn;
    LOCKED(&account->mutex);
    blob_account_state_note(account, &record);
    blob_segments_add_tombstone(account->segments, (uint32_t)record.segment, ret_place->segment);
    return BLOB_NONE;
}

/* The tombstone is durable: the index may say so. */
static void
delete_done(struct blob_account *account, const struct blob_place *deleted, uint64_t now_s)
{
    LOCKED(&account->mutex);
    struct blob_place *place = blob_index_get(account->index, &deleted->id);
    if (place != NULL && place->state == BLOB_STATE_LIVE && place->lsn == deleted->lsn) {
        blob_account_state_trash(account, place, now_s);
    }
}

static void delete_some(
    struct blob_account *account, const struct id16 *ids, size_t count, uint64_t now_s,
    enum blob_outcome *ret_outcomes)
{
    uint64_t lsns[BLOB_ITEMS_MAX];
    struct blob_place places[BLOB_ITEMS_MAX];
    /* Over the sync too: until the index knows of a tombstone it must not be saved behind it. */
    BLOB_ACCOUNT_APPENDING(account);
    for (size_t i = 0; i < count; i++) {
        ret_outcomes[i] = delete_one(account, &ids[i], now_s, &lsns[i], &places[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (ret_outcomes[i] != BLOB_NONE) {
            continue;
        }
        ret_outcomes[i] = BLOB_FAILED;
        if (status_ok(segment_log_sync(account->log, lsns[i]))) {
            delete_done(account, &places[i], now_s);
            ret_outcomes[i] = BLOB_STORED;
        }
    }
}

struct status blob_account_delete(
    struct blob_account *account, const struct id16 *ids, size_t count, uint64_t now_s,
    enum blob_outcome *ret_outcomes)
{
    if (!breaker_admits(account, count)) {
        return FAIL(BUSY, "more deletes in a minute than allowed");
    }
    for (size_t at = 0; at < count; at += BLOB_ITEMS_MAX) {
        size_t some = count - at < BLOB_ITEMS_MAX ? count - at : BLOB_ITEMS_MAX;
        delete_some(account, ids + at, some, now_s, ret_outcomes + at);
    }
    return OK;
}
