#include "contentdb/plan_steward.h"

static struct status get_steward(struct plan *plan, struct row_steward *ret_row)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    *ret_row = (struct row_steward){.fence = 0};
    TRY(plan_get(plan, row_key_steward(&key), &value, &found));
    return found ? rows_steward_decode(value, ret_row) : OK;
}

static bool is_caller(const struct plan *plan, const struct row_steward *row, uint32_t fence)
{
    return row->fence == fence && fence != 0 && bytes_equal(row->uri, bytes_text(plan->env->uri));
}

struct status plan_steward_take(struct plan *plan, void *arg)
{
    struct plan_steward *take = arg;
    struct row_steward row;
    take->is_active = false;
    TRY(get_steward(plan, &row));
    take->fence = row.fence;
    if (is_caller(plan, &row, take->held)) {
        take->is_active = true;
        return plan_settle(plan, OUTCOME(DONE));
    }
    if ((row.fence != 0 && !take->is_free) || row.fence == UINT32_MAX) {
        return plan_settle(plan, OUTCOME(DONE));
    }
    row.fence++;
    row.uri = bytes_text(plan->env->uri);
    memcpy(row.cert_sha256, plan->env->cert_sha256, sizeof(row.cert_sha256));
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    rows_steward_encode(&value, &row);
    TRY(plan_put_row(plan, row_key_steward(&key), &value));
    take->is_active = true;
    take->fence = row.fence;
    return OK;
}

struct status plan_steward_check(struct plan *plan, uint32_t fence)
{
    struct row_steward row;
    TRY(get_steward(plan, &row));
    return is_caller(plan, &row, fence) ? OK : plan_settle(plan, OUTCOME(DENIED));
}
