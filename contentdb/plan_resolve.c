#include "contentdb/plan_resolve.h"

/* Open or closed: only who holds the lease may settle what happened under it. */
static struct status check_lease_owner(struct plan *plan, const struct content *content)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_lease(&key, content_lease(content)), &value, &found));
    if (!found) {
        return plan_settle(plan, OUTCOME(DENIED));
    }
    struct row_lease row;
    TRY(rows_lease_decode(value, &row));
    return bytes_equal(row.uri, bytes_text(plan->env->uri)) ? OK
                                                            : plan_settle(plan, OUTCOME(DENIED));
}

struct status plan_resolve_commit(struct plan *plan, void *arg)
{
    struct plan_resolve *resolve = arg;
    resolve->seq = 0;
    TRY(check_lease_owner(plan, &resolve->content));
    TRY(plan_head_check_reference(
        plan, &resolve->content, &resolve->owner, &resolve->bucket, &resolve->seq));

    struct row_key key;
    const struct row_reference row = {.state = REFERENCE_KILLED, .bucket = resolve->bucket};
    BUFFER(value, KV_VALUE_MAX);
    rows_reference_encode(&value, &row);
    TRY(plan_put_row(plan, row_key_reference(&key, &resolve->content, &resolve->owner), &value));

    const struct row_stamp stamp = {.bucket = resolve->bucket, .since_ms = plan->env->now_ms};
    uint64_t due_ms = plan->env->now_ms + plan->env->quarantine_ms;
    buffer_reset(&value);
    rows_stamp_encode(&value, &stamp);
    return plan_put_row(plan, row_key_due(&key, due_ms, &resolve->content), &value);
}
