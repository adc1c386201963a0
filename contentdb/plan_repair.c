#include "contentdb/plan_repair.h"

#include "lib/format/manifest_page.h"
#include "lib/format/placement_row.h"

enum { FRAGMENTS_MAX = 24, COPY_MAX = 255 };

/* The entries of a page, and those of the one chunk. */
struct placement {
    struct manifest_head head;
    size_t fragments; /* k + m */
    size_t count;     /* Of the page. */
    struct placement_entry entries[MANIFEST_ROWS_MAX * FRAGMENTS_MAX];
    struct placement_entry *chunk;
};

static struct status
get_placement(struct plan *plan, const struct plan_repair *repair, struct placement *ret)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_manifest(&key, &repair->content, repair->page), &value, &found));
    if (!found) {
        return plan_settle(plan, OUTCOME(NOT_FOUND));
    }
    TRY(manifest_page_head(value, &ret->head));
    ret->fragments = (size_t)ret->head.k + ret->head.m;
    ret->count = ret->head.rows * ret->fragments;
    if (ret->head.rows > MANIFEST_ROWS_MAX || ret->fragments > FRAGMENTS_MAX) {
        return FAIL(CORRUPT, "shape of a manifest page");
    }
    if (repair->chunk >= ret->head.rows || repair->index >= ret->fragments) {
        return plan_settle(plan, OUTCOME(NOT_FOUND));
    }
    TRY(plan_get(plan, row_key_placement(&key, &repair->content, repair->page), &value, &found));
    if (!found) {
        return FAIL(CORRUPT, "a manifest page without a placement");
    }
    TRY(placement_decode(value, ret->entries, ret->count));
    ret->chunk = ret->entries + repair->chunk * ret->fragments;
    return OK;
}

static struct status
put_placement(struct plan *plan, const struct plan_repair *repair, const struct placement *place)
{
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    placement_encode(&value, place->entries, place->count);
    return plan_put_row(plan, row_key_placement(&key, &repair->content, repair->page), &value);
}

static unsigned count_missing(const struct placement *place)
{
    unsigned missing = 0;
    for (size_t i = 0; i < place->fragments; i++) {
        missing += place->chunk[i].state == PLACEMENT_MISSING;
    }
    return missing;
}

/* NOT_FOUND unless someone (of bucket, if given) still refers to the content. */
static struct status
check_live(struct plan *plan, const struct content *content, const struct id16 *bucket)
{
    struct row_key prefix;
    struct row_key from;
    row_key_prefix(&prefix, 'R', bytes_of(content->bytes, CONTENT_SIZE));
    from = prefix;
    for (;;) {
        struct bytes key;
        struct bytes value;
        bool found = false;
        TRY(plan_seek(plan, row_key_bytes(&from), row_key_bytes(&prefix), &key, &value, &found));
        if (!found) {
            return plan_settle(plan, OUTCOME(NOT_FOUND));
        }
        struct row_reference row;
        TRY(rows_reference_decode(value, &row));
        if (row.state == REFERENCE_LIVE && (bucket == NULL || id16_equal(&row.bucket, bucket))) {
            return OK;
        }
        memcpy(from.data, key.data, key.size);
        from.data[key.size] = 0; /* The next key behind this one. */
        from.size = key.size + 1;
    }
}

struct status plan_repair_report(struct plan *plan, void *arg)
{
    const struct plan_repair *repair = arg;
    struct placement place;
    TRY(get_placement(plan, repair, &place));
    TRY(check_live(plan, &repair->content, &repair->bucket));
    unsigned lost = count_missing(&place) + 1;
    unsigned spare = lost < place.head.m ? place.head.m - lost : 0;
    struct row_key key;
    for (unsigned priority = 0; priority <= place.head.m; priority++) {
        struct bytes value;
        bool found = false;
        TRY(plan_get(
            plan,
            row_key_repair(&key, (uint8_t)priority, &repair->content, repair->page, repair->chunk),
            &value, &found));
        if (found) {
            return plan_settle(plan, OUTCOME(DONE));
        }
    }
    const struct row_stamp stamp = {.bucket = repair->bucket, .since_ms = plan->env->now_ms};
    BUFFER(encoded, KV_VALUE_MAX);
    rows_stamp_encode(&encoded, &stamp);
    row_key_repair(&key, (uint8_t)spare, &repair->content, repair->page, repair->chunk);
    return plan_put_row(plan, row_key_bytes(&key), &encoded);
}

struct status plan_repair_reserve(struct plan *plan, void *arg)
{
    struct plan_repair *repair = arg;
    struct placement place;
    unsigned last_copy = 0;
    TRY(plan_steward_check(plan, repair->fence));
    TRY(get_placement(plan, repair, &place));
    TRY(check_live(plan, &repair->content, NULL));
    if (repair->account == 0 || repair->account > repair->last_account) {
        return plan_settle(plan, OUTCOME(INVALID));
    }
    for (size_t i = 0; i < place.fragments; i++) {
        const struct placement_entry *entry = &place.chunk[i];
        bool is_moving = entry->state == PLACEMENT_MOVING;
        if ((i != repair->index && entry->account == repair->account) ||
            (is_moving && entry->target_account == repair->account)) {
            return plan_settle(plan, OUTCOME(EXISTS));
        }
        last_copy = entry->copy > last_copy ? entry->copy : last_copy;
        last_copy = is_moving && entry->target_copy > last_copy ? entry->target_copy : last_copy;
    }
    if (last_copy == COPY_MAX) {
        return plan_settle(plan, OUTCOME(FULL));
    }
    repair->copy = last_copy + 1;
    place.chunk[repair->index] = (struct placement_entry){
        .account = repair->account, .copy = (uint8_t)repair->copy, .state = PLACEMENT_MISSING};
    return put_placement(plan, repair, &place);
}

static struct status drop_tasks(struct plan *plan, const struct plan_repair *repair, unsigned last)
{
    for (unsigned priority = 0; priority <= last; priority++) {
        struct row_key key;
        TRY(plan_delete(
            plan, row_key_repair(
                      &key, (uint8_t)priority, &repair->content, repair->page, repair->chunk)));
    }
    return OK;
}

struct status plan_repair_confirm(struct plan *plan, void *arg)
{
    const struct plan_repair *repair = arg;
    struct placement place;
    TRY(plan_steward_check(plan, repair->fence));
    TRY(get_placement(plan, repair, &place));
    struct placement_entry *entry = &place.chunk[repair->index];
    if (entry->account != repair->account || entry->copy != repair->copy) {
        return plan_settle(plan, OUTCOME(PRECONDITION));
    }
    if (entry->state == PLACEMENT_STORED) {
        return plan_settle(plan, OUTCOME(DONE));
    }
    if (entry->state != PLACEMENT_MISSING) {
        return plan_settle(plan, OUTCOME(PRECONDITION));
    }
    entry->state = PLACEMENT_STORED;
    TRY(put_placement(plan, repair, &place));
    return count_missing(&place) == 0 ? drop_tasks(plan, repair, place.head.m) : OK;
}

struct status plan_repair_finish(struct plan *plan, void *arg)
{
    const struct plan_repair *repair = arg;
    TRY(plan_steward_check(plan, repair->fence));
    struct row_key key;
    return plan_delete(
        plan,
        row_key_repair(&key, repair->priority, &repair->content, repair->page, repair->chunk));
}
