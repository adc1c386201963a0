#include "blobnode/blob_account_state.h"

#include <sys/statvfs.h>

bool blob_account_state_is_expired(
    const struct blob_account *account, const struct blob_place *place)
{
    return place->state == BLOB_STATE_TRASH &&
           account->now_s >= place->trashed_s + account->options.trash_period_s;
}

void blob_account_state_drop(struct blob_account *account, const struct blob_place *place)
{
    if (place->state == BLOB_STATE_LIVE) {
        account->live--;
        account->live_bytes -= place->size;
    } else if (place->state == BLOB_STATE_TRASH) {
        account->trashed--;
        account->trash_bytes -= place->size;
    }
    blob_segments_drop_blob(account->segments, place->segment);
    struct id16 id = place->id;
    blob_index_remove(account->index, &id);
}

void blob_account_state_count(struct blob_account *account, const struct blob_place *place)
{
    if (place->state == BLOB_STATE_LIVE) {
        account->live++;
        account->live_bytes += place->size;
    } else {
        account->trashed++;
        account->trash_bytes += place->size;
    }
    blob_segments_add_blob(account->segments, place->segment);
}

void blob_account_state_note(struct blob_account *account, const struct segment_record *record)
{
    if (record->lsn > account->mark.lsn) {
        account->mark = (struct blob_account_mark){
            .segment = record->segment, .offset = record->offset, .lsn = record->lsn};
    }
}

void blob_account_state_publish(
    struct blob_account *account, struct blob_place *place, const struct segment_record *record)
{
    place->lsn = record->lsn;
    place->segment = (uint32_t)record->segment;
    place->offset = record->offset;
    place->size = record->size;
    place->state = BLOB_STATE_LIVE;
    blob_account_state_count(account, place);
    blob_account_state_note(account, record);
}

void blob_account_state_trash(
    struct blob_account *account, struct blob_place *place, uint64_t now_s)
{
    place->state = BLOB_STATE_TRASH;
    place->trashed_s = (uint32_t)now_s;
    account->live--;
    account->live_bytes -= place->size;
    account->trashed++;
    account->trash_bytes += place->size;
}

static struct segment_record record_of(const struct blob_place *place)
{
    struct segment_record record = {
        .flags = RECORD_BLOB,
        .lsn = place->lsn,
        .segment = place->segment,
        .offset = place->offset,
        .size = place->size,
    };
    memcpy(record.id, place->id.bytes, ID16_SIZE);
    return record;
}

/* Count a damaged blob once. */
static void mark_damaged(struct blob_account *account, const struct blob_place *found)
{
    LOCKED(&account->mutex);
    struct blob_place *place = blob_index_get(account->index, &found->id);
    if (place != NULL && place->lsn == found->lsn && !place->is_damaged) {
        place->is_damaged = true;
        account->damaged++;
    }
}

enum blob_outcome blob_account_state_read(
    struct blob_account *account, const struct blob_place *place, uint32_t offset, void *to,
    uint32_t size)
{
    struct segment_record record = record_of(place);
    struct status status = segment_log_read(account->log, &record, offset, to, size);
    if (status_ok(status)) {
        return BLOB_FOUND;
    }
    /* A segment file that is gone is damage too. */
    if (status.code == STATUS_CORRUPT || status.code == STATUS_NOT_FOUND) {
        mark_damaged(account, place);
        return BLOB_CORRUPT;
    }
    return BLOB_FAILED;
}

uint64_t blob_account_state_space(const struct blob_account *account)
{
    struct statvfs info;
    if (fstatvfs(account->dir_fd, &info) != 0) {
        return 0;
    }
    uint64_t bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return bytes > account->options.space_reserve ? bytes - account->options.space_reserve : 0;
}
