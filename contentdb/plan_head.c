#include "contentdb/plan_head.h"

#include "lib/base/check.h"
#include "lib/base/mutant.h"

struct status
plan_head_check_bucket(struct plan *plan, const struct id16 *bucket, const struct id16 *tenant)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_bucket(&key, bucket), &value, &found));
    if (!found) {
        return plan_settle(plan, OUTCOME(NO_SUCH_BUCKET));
    }
    struct row_bucket row;
    TRY(rows_bucket_decode(value, &row));
    if (!id16_equal(&row.tenant, tenant)) {
        return plan_settle(plan, OUTCOME(DENIED));
    }
    return row.state == BUCKET_ACTIVE ? OK : plan_settle(plan, OUTCOME(NO_SUCH_BUCKET));
}

struct status plan_head_check_lease(struct plan *plan, const struct content *content)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_lease(&key, content_lease(content)), &value, &found));
    if (!found) {
        return plan_settle(plan, OUTCOME(LEASE_CLOSED));
    }
    struct row_lease row;
    TRY(rows_lease_decode(value, &row));
    if (row.state != LEASE_OPEN || !bytes_equal(row.uri, bytes_text(plan->env->uri))) {
        return plan_settle(plan, OUTCOME(LEASE_CLOSED));
    }
    return OK;
}

struct status plan_head_check_reference(
    struct plan *plan, const struct content *content, const struct id16 *owner,
    const struct id16 *bucket, uint64_t *ret_seq)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_reference(&key, content, owner), &value, &found));
    if (!found) {
        return OK;
    }
    struct row_reference row;
    TRY(rows_reference_decode(value, &row));
    if (!id16_equal(&row.bucket, bucket)) {
        return plan_settle(plan, OUTCOME(INVALID));
    }
    *ret_seq = row.seq;
    return plan_settle(plan, row.state == REFERENCE_KILLED ? OUTCOME(KILLED) : OUTCOME(DONE));
}

struct status plan_head_check_condemned(struct plan *plan, const struct content *content)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_condemned(&key, content), &value, &found));
    return found ? plan_settle(plan, OUTCOME(CONDEMNED)) : OK;
}

struct status plan_head_get(
    struct plan *plan, const struct id16 *bucket, struct bytes name, struct plan_head *ret_head)
{
    struct row_key key;
    struct bytes value;
    *ret_head = (struct plan_head){.is_there = false};
    TRY(plan_get(plan, row_key_object(&key, bucket, name), &value, &ret_head->is_there));
    if (!ret_head->is_there) {
        return OK;
    }
    TRY(rows_object_decode(value, &ret_head->row));
    return version_record_decode(ret_head->row.record, &ret_head->record);
}

struct status plan_head_check_conditions(
    struct plan *plan, const struct plan_head *head, bool if_absent, const struct id16 *if_version)
{
    if (MUTANT_NO_HEAD_CHECK) {
        return OK;
    }
    if (if_absent && head->is_there) {
        return plan_settle(plan, OUTCOME(EXISTS));
    }
    if (if_version == NULL) {
        return OK;
    }
    if (!head->is_there) {
        return plan_settle(plan, OUTCOME(NOT_FOUND));
    }
    return id16_equal(&head->record.version, if_version) ? OK
                                                         : plan_settle(plan, OUTCOME(PRECONDITION));
}

static struct status put_reference(
    struct plan *plan, const struct content *content, const struct id16 *owner,
    const struct row_reference *row)
{
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    rows_reference_encode(&value, row);
    return plan_put_row(plan, row_key_reference(&key, content, owner), &value);
}

struct status plan_head_refer(
    struct plan *plan, const struct content *content, const struct id16 *owner,
    const struct id16 *bucket)
{
    const struct row_reference row = {
        .state = REFERENCE_LIVE, .bucket = *bucket, .seq = kv_view_seq(plan->view)};
    return put_reference(plan, content, owner, &row);
}

struct status plan_head_let_go(
    struct plan *plan, const struct content *content, const struct id16 *owner,
    const struct id16 *bucket)
{
    struct row_key key;
    struct bytes old;
    bool found = false;
    struct row_reference row = {.bucket = *bucket, .seq = kv_view_seq(plan->view)};
    TRY(plan_get(plan, row_key_reference(&key, content, owner), &old, &found));
    if (found) {
        TRY(rows_reference_decode(old, &row)); /* It keeps the seq of its commit. */
    }
    row.state = REFERENCE_DEAD;
    TRY(put_reference(plan, content, owner, &row));

    const struct row_stamp stamp = {.bucket = *bucket, .since_ms = plan->env->now_ms};
    uint64_t due_ms = plan->env->now_ms + plan->env->quarantine_ms;
    BUFFER(value, KV_VALUE_MAX);
    rows_stamp_encode(&value, &stamp);
    return plan_put_row(plan, row_key_due(&key, due_ms, content), &value);
}

struct status
plan_head_page_segments(struct plan *plan, struct bytes page, plan_segment_fn *fn, void *arg)
{
    enum { MAC_SIZE = 32 };
    if (page.size <= MAC_SIZE || (page.size - MAC_SIZE) % SEGMENT_SIZE != 0) {
        return FAIL(CORRUPT, "length of a segment page");
    }
    for (size_t at = 0; at < page.size - MAC_SIZE; at += SEGMENT_SIZE) {
        struct segment_entry segment;
        TRY(segment_entry_decode(bytes_slice(page, at, SEGMENT_SIZE), &segment));
        TRY(fn(plan, &segment, arg));
    }
    return OK;
}

struct status plan_head_each_segment(
    struct plan *plan, const struct id16 *version, plan_segment_fn *fn, void *arg)
{
    for (uint32_t page = 0;; page++) {
        struct row_key key;
        struct bytes value;
        bool found = false;
        TRY(plan_get(plan, row_key_segments(&key, version, page), &value, &found));
        if (!found) {
            return OK;
        }
        TRY(plan_head_page_segments(plan, value, fn, arg));
    }
}

struct owner {
    const struct id16 *version;
    const struct id16 *bucket;
};

static struct status
let_go_segment(struct plan *plan, const struct segment_entry *segment, void *arg)
{
    const struct owner *owner = arg;
    return plan_head_let_go(plan, &segment->content, owner->version, owner->bucket);
}

static struct status drop_segments(struct plan *plan, const struct id16 *version)
{
    for (uint32_t page = 0;; page++) {
        struct row_key key;
        struct bytes value;
        bool found = false;
        TRY(plan_get(plan, row_key_segments(&key, version, page), &value, &found));
        if (!found) {
            return OK;
        }
        TRY(plan_delete(plan, row_key_bytes(&key)));
    }
}

/* All contents of a version that is no longer the head. Its M and P rows stay until the purge. */
static struct status
retire(struct plan *plan, const struct id16 *bucket, struct bytes name, const struct plan_head *old)
{
    const struct version_record *record = &old->record;
    if (old->row.is_outside) {
        struct row_key key;
        TRY(plan_delete(plan, row_key_attributes(&key, bucket, name, old->row.seq)));
    }
    if (record->segments == 0) {
        return plan_head_let_go(plan, &record->content, &record->version, bucket);
    }
    struct owner owner = {.version = &record->version, .bucket = bucket};
    TRY(plan_head_each_segment(plan, &record->version, let_go_segment, &owner));
    return drop_segments(plan, &record->version);
}

static struct status count_usage(
    struct plan *plan, const struct id16 *bucket, const struct plan_head *old, bool is_replaced,
    uint64_t size)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    struct row_usage usage = {0};
    TRY(plan_get(plan, row_key_usage(&key, bucket), &value, &found));
    if (found) {
        TRY(rows_usage_decode(value, &usage));
    }
    if (old->is_there) {
        usage.objects -= usage.objects > 0 ? 1 : 0;
        usage.bytes -= usage.bytes < old->record.size ? usage.bytes : old->record.size;
    }
    if (is_replaced) {
        usage.objects++;
        usage.bytes += size;
    }
    BUFFER(row, KV_VALUE_MAX);
    rows_usage_encode(&row, &usage);
    return plan_put_row(plan, row_key_bytes(&key), &row);
}

struct status plan_head_replace(
    struct plan *plan, const struct plan_head *old, const struct plan_head_new *new_head)
{
    if (old->is_there) {
        TRY(retire(plan, new_head->bucket, new_head->name, old));
    }
    struct row_object row = {
        .seq = kv_view_seq(plan->view),
        .record = new_head->record,
        .vmac = new_head->vmac,
        .key_ref = new_head->key_ref,
        .is_outside = new_head->attributes.size > ROW_ATTRIBUTES_INLINE,
        .attributes = new_head->attributes,
    };
    struct row_key key;
    if (row.is_outside) {
        TRY(plan_put(
            plan, row_key_attributes(&key, new_head->bucket, new_head->name, row.seq),
            new_head->attributes));
    }
    BUFFER(value, KV_VALUE_MAX);
    rows_object_encode(&value, &row);
    TRY(plan_put_row(plan, row_key_object(&key, new_head->bucket, new_head->name), &value));
    return count_usage(plan, new_head->bucket, old, true, new_head->decoded->size);
}

struct status plan_head_remove(
    struct plan *plan, const struct id16 *bucket, struct bytes name, const struct plan_head *old)
{
    CHECK(old->is_there);
    TRY(retire(plan, bucket, name, old));
    struct row_key key;
    TRY(plan_delete(plan, row_key_object(&key, bucket, name)));
    return count_usage(plan, bucket, old, false, 0);
}
