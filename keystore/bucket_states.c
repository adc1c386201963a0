#include "keystore/bucket_states.h"

struct step {
    const struct id16 *tenant;
    const struct id16 *bucket;
    bool only_creating;
};

static struct status
read_bucket(struct kv_view *view, const struct step *step, struct bucket_row *ret_row)
{
    struct key_row_key key = key_row_bucket(step->bucket);
    struct bytes found;

    TRY(kv_view_get(view, key_row_view(&key), &found));
    TRY(key_row_decode_bucket(found, ret_row));
    if (!id16_equal(&ret_row->tenant, step->tenant)) {
        return FAIL(NOT_FOUND, "no such bucket of the tenant");
    }
    return OK;
}

static struct status
write_bucket(struct kv_view *view, const struct step *step, const struct bucket_row *row)
{
    struct key_row_key key = key_row_bucket(step->bucket);
    struct key_row_key creating = key_row_creating(step->bucket);
    BUFFER(value, KEY_ROW_VALUE_MAX);

    key_row_encode_bucket(&value, row);
    TRY(buffer_status(&value));
    TRY(kv_view_delete(view, key_row_view(&creating)));
    return kv_view_put(view, key_row_view(&key), buffer_bytes(&value));
}

static struct status activate(struct kv_view *view, void *arg)
{
    const struct step *step = arg;
    struct bucket_row row;

    TRY(read_bucket(view, step, &row));
    if (row.state == BUCKET_DELETING) {
        return FAIL(NOT_FOUND, "bucket is deleted");
    }
    if (row.state == BUCKET_ACTIVE) {
        return OK;
    }
    row.state = BUCKET_ACTIVE;
    return write_bucket(view, step, &row);
}

struct status
bucket_states_activate(struct vault *vault, const struct id16 *tenant, const struct id16 *bucket)
{
    struct step step = {.tenant = tenant, .bucket = bucket};

    return vault_apply(vault, activate, &step);
}

static struct status drop_creating(struct kv_view *view, const struct step *step)
{
    struct key_row_key key = key_row_bucket(step->bucket);
    struct key_row_key creating = key_row_creating(step->bucket);

    TRY(kv_view_delete(view, key_row_view(&creating)));
    return kv_view_delete(view, key_row_view(&key));
}

static struct status drop(struct kv_view *view, void *arg)
{
    const struct step *step = arg;
    struct bucket_row row;
    struct status status = read_bucket(view, step, &row);

    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    if (row.state == BUCKET_CREATING) {
        return drop_creating(view, step);
    }
    if (step->only_creating) {
        return FAIL(CONFLICT, "bucket is active");
    }
    row.state = BUCKET_DELETING;
    return write_bucket(view, step, &row);
}

struct status bucket_states_drop(
    struct vault *vault, const struct id16 *tenant, const struct id16 *bucket, bool only_creating)
{
    struct step step = {.tenant = tenant, .bucket = bucket, .only_creating = only_creating};

    return vault_apply(vault, drop, &step);
}
