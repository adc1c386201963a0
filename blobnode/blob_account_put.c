#include "blobnode/blob_account_state.h"
#include "lib/base/check.h"
#include "lib/base/mutant.h"

#include <stdlib.h>

enum { COMPARE_STEP = 256 * 1024 };

static bool equals_at(const struct blob_put_item *item, uint32_t offset, struct bytes stored)
{
    uint32_t at = 0; /* Of the part. */
    for (size_t i = 0; i < item->count && stored.size > 0; i++) {
        const struct bytes *part = &item->parts[i];
        if (offset < at + part->size) {
            struct bytes rest = bytes_from(*part, offset - at);
            size_t common = rest.size < stored.size ? rest.size : stored.size;
            if (memcmp(rest.data, stored.data, common) != 0) {
                return false;
            }
            stored = bytes_from(stored, common);
            offset += (uint32_t)common;
        }
        at += (uint32_t)part->size;
    }
    return stored.size == 0;
}

/* SAME (of equal bytes, durable or not), DIFFERS, CORRUPT or FAILED. */
static enum blob_outcome compare(
    struct blob_account *account, const struct blob_place *place, const struct blob_put_item *item)
{
    if (place->size != item->size) {
        return BLOB_DIFFERS;
    }
    uint8_t *stored = malloc(COMPARE_STEP);
    if (stored == NULL) {
        return BLOB_FAILED;
    }
    enum blob_outcome outcome = BLOB_SAME;
    for (uint32_t at = 0; at < item->size && outcome == BLOB_SAME; at += COMPARE_STEP) {
        uint32_t rest = item->size - at;
        uint32_t size = rest < COMPARE_STEP ? rest : COMPARE_STEP;
        outcome = blob_account_state_read(account, place, at, stored, size);
        if (outcome == BLOB_FOUND) {
            outcome = equals_at(item, at, bytes_of(stored, size)) ? BLOB_SAME : BLOB_DIFFERS;
        }
    }
    free(stored);
    return outcome;
}

/*
 * Claim the id: NONE, and it is ours to write. Otherwise what is there: SAME for a live one (in
 * *ret_place, not compared yet), TRASHED, FULL, FAILED.
 */
static enum blob_outcome claim(
    struct blob_account *account, const struct blob_put_item *item, bool has_space,
    struct blob_place *ret_place)
{
    LOCKED(&account->mutex);
    for (;;) {
        struct blob_place *place = blob_index_get(account->index, &item->id);
        if (place == NULL) {
            break;
        }
        if (place->state == BLOB_STATE_LIVE) {
            *ret_place = *place;
            return BLOB_SAME;
        }
        if (place->state == BLOB_STATE_TRASH) {
            return BLOB_TRASHED;
        }
        pthread_cond_wait(&account->settled, &account->mutex);
    }
    if (!has_space) {
        return BLOB_FULL;
    }
    struct blob_place fresh = {.id = item->id, .state = BLOB_STATE_PENDING};
    return status_ok(blob_index_add(account->index, &fresh)) ? BLOB_NONE : BLOB_FAILED;
}

/* End a claim: publish what was written, or withdraw. */
static void
settle(struct blob_account *account, const struct id16 *id, const struct segment_record *record)
{
    LOCKED(&account->mutex);
    struct blob_place *place = blob_index_get(account->index, id);
    CHECK(place != NULL && place->state == BLOB_STATE_PENDING);
    if (record != NULL) {
        blob_account_state_publish(account, place, record);
    } else {
        blob_index_remove(account->index, id);
    }
    pthread_cond_broadcast(&account->settled);
}

/* Write or compare one item. *ret_lsn: what must be durable before STORED or SAME is said. */
static enum blob_outcome put_one(
    struct blob_account *account, const struct blob_put_item *item, bool has_space,
    uint64_t *ret_lsn)
{
    struct blob_place place;
    enum blob_outcome outcome = claim(account, item, has_space, &place);
    if (outcome == BLOB_SAME) {
        *ret_lsn = place.lsn;
        return compare(account, &place, item);
    }
    if (outcome != BLOB_NONE) {
        return outcome;
    }
    BLOB_ACCOUNT_APPENDING(account);
    struct segment_record record;
    struct status status = segment_log_append(
        account->log, item->id.bytes, RECORD_BLOB, item->parts, item->count, &record);
    if (status_ok(status) && record.segment > UINT32_MAX) {
        status = FAIL(FULL, "numbers of segments");
    }
    settle(account, &item->id, status_ok(status) ? &record : NULL);
    if (!status_ok(status)) {
        return status.code == STATUS_FULL ? BLOB_FULL : BLOB_FAILED;
    }
    *ret_lsn = record.lsn;
    return BLOB_STORED;
}

/* A record that no sync covered does not exist, whoever saw it. */
static void forget_lost(struct blob_account *account, const struct id16 *id, uint64_t lsn)
{
    LOCKED(&account->mutex);
    struct blob_place *place = blob_index_get(account->index, id);
    if (place != NULL && place->state != BLOB_STATE_PENDING && place->lsn == lsn) {
        blob_account_state_drop(account, place);
    }
}

static void put_some(
    struct blob_account *account, const struct blob_put_item *items, size_t count,
    enum blob_outcome *ret_outcomes)
{
    uint64_t lsns[BLOB_ITEMS_MAX];
    bool has_space = blob_account_state_space(account) > 0;
    if (MUTANT_ACKNOWLEDGE_BEFORE_FSYNC) {
        IGNORE(segment_log_sync(account->log, segment_log_last(account->log)));
    }
    for (size_t i = 0; i < count; i++) {
        lsns[i] = 0;
        ret_outcomes[i] = put_one(account, &items[i], has_space, &lsns[i]);
    }
    for (size_t i = 0; i < count && !MUTANT_ACKNOWLEDGE_BEFORE_FSYNC; i++) {
        if (ret_outcomes[i] != BLOB_STORED && ret_outcomes[i] != BLOB_SAME) {
            continue;
        }
        /* The first sync covers all that is appended by now: the others find it done. */
        if (!status_ok(segment_log_sync(account->log, lsns[i]))) {
            ret_outcomes[i] = BLOB_FAILED;
            forget_lost(account, &items[i].id, lsns[i]);
        }
    }
}

void blob_account_put(
    struct blob_account *account, const struct blob_put_item *items, size_t count,
    enum blob_outcome *ret_outcomes)
{
    for (size_t at = 0; at < count; at += BLOB_ITEMS_MAX) {
        size_t some = count - at < BLOB_ITEMS_MAX ? count - at : BLOB_ITEMS_MAX;
        put_some(account, items + at, some, ret_outcomes + at);
    }
}
