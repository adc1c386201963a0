#include "contentdb/plan_buckets.h"

static struct status
put_bucket(struct plan *plan, const struct plan_buckets *bucket, const struct row_bucket *row)
{
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    rows_bucket_encode(&value, row);
    return plan_put_row(plan, row_key_bucket(&key, &bucket->bucket), &value);
}

static struct status put_names(struct plan *plan, const struct plan_buckets *bucket)
{
    struct row_key key;
    const struct row_name name = {
        .bucket = bucket->bucket, .tenant = bucket->tenant, .shard = bucket->shard};
    BUFFER(value, KV_VALUE_MAX);
    rows_name_encode(&value, &name);
    TRY(plan_put_row(plan, row_key_bucket_name(&key, bucket->name), &value));

    const struct row_tenant_bucket listed = {
        .bucket = bucket->bucket, .created_ms = plan->env->now_ms};
    buffer_reset(&value);
    rows_tenant_bucket_encode(&value, &listed);
    return plan_put_row(plan, row_key_tenant_bucket(&key, &bucket->tenant, bucket->name), &value);
}

struct status plan_buckets_create(struct plan *plan, void *arg)
{
    struct plan_buckets *bucket = arg;
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_bucket_name(&key, bucket->name), &value, &found));
    if (found) {
        struct row_name name;
        TRY(rows_name_decode(value, &name));
        bucket->taken_by = name.tenant;
        bool is_same = id16_equal(&name.bucket, &bucket->bucket);
        return plan_settle(plan, is_same ? OUTCOME(DONE) : OUTCOME(EXISTS));
    }
    TRY(plan_get(plan, row_key_bucket(&key, &bucket->bucket), &value, &found));
    if (found) {
        return plan_settle(plan, OUTCOME(INVALID)); /* Under another name, or being deleted. */
    }
    const struct row_bucket row = {
        .state = BUCKET_ACTIVE,
        .tenant = bucket->tenant,
        .created_ms = plan->env->now_ms,
        .name = bucket->name,
    };
    TRY(put_bucket(plan, bucket, &row));
    TRY(put_names(plan, bucket));
    const struct row_usage usage = {0};
    BUFFER(encoded, KV_VALUE_MAX);
    rows_usage_encode(&encoded, &usage);
    return plan_put_row(plan, row_key_usage(&key, &bucket->bucket), &encoded);
}

static struct status
has_rows(struct plan *plan, char type, const struct id16 *bucket, bool *ret_found)
{
    struct row_key key;
    struct bytes prefix = row_key_prefix(&key, type, id16_view(bucket));
    struct bytes first_key;
    struct bytes value;
    return plan_seek(plan, prefix, prefix, &first_key, &value, ret_found);
}

static struct status drop_bucket(struct plan *plan, const struct id16 *bucket)
{
    struct row_key key;
    TRY(plan_delete(plan, row_key_usage(&key, bucket)));
    return plan_delete(plan, row_key_bucket(&key, bucket));
}

struct status plan_buckets_delete(struct plan *plan, void *arg)
{
    struct plan_buckets *bucket = arg;
    struct row_key key;
    struct bytes value;
    bool found = false;
    struct row_bucket row;
    TRY(plan_head_check_bucket(plan, &bucket->bucket, &bucket->tenant));
    TRY(plan_get(plan, row_key_bucket(&key, &bucket->bucket), &value, &found));
    TRY(rows_bucket_decode(value, &row));
    if (!bytes_equal(row.name, bucket->name)) {
        return plan_settle(plan, OUTCOME(NO_SUCH_BUCKET));
    }
    TRY(has_rows(plan, 'O', &bucket->bucket, &found));
    if (found) {
        return plan_settle(plan, OUTCOME(NOT_EMPTY));
    }
    TRY(has_rows(plan, 'U', &bucket->bucket, &bucket->has_uploads));
    TRY(plan_delete(plan, row_key_bucket_name(&key, bucket->name)));
    TRY(plan_delete(plan, row_key_tenant_bucket(&key, &bucket->tenant, bucket->name)));
    if (!bucket->has_uploads) {
        return drop_bucket(plan, &bucket->bucket);
    }
    row.state = BUCKET_DELETING;
    return put_bucket(plan, bucket, &row);
}

struct status plan_buckets_finish(struct plan *plan, void *arg)
{
    struct plan_buckets *bucket = arg;
    struct row_key key;
    struct bytes value;
    bool found = false;
    struct row_bucket row;
    TRY(plan_get(plan, row_key_bucket(&key, &bucket->bucket), &value, &found));
    if (!found) {
        return plan_settle(plan, OUTCOME(DONE));
    }
    TRY(rows_bucket_decode(value, &row));
    TRY(has_rows(plan, 'U', &bucket->bucket, &bucket->has_uploads));
    if (row.state != BUCKET_DELETING || bucket->has_uploads) {
        return plan_settle(plan, OUTCOME(NOT_EMPTY));
    }
    return drop_bucket(plan, &bucket->bucket);
}
