#include "contentdb/plan_lease.h"

enum { COUNTER_BITS = 24, COUNTER_MAX = (1 << COUNTER_BITS) - 1 };

static struct status put_lease(struct plan *plan, uint64_t lease, const struct row_lease *row)
{
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    rows_lease_encode(&value, row);
    return plan_put_row(plan, row_key_lease(&key, lease), &value);
}

/* fence u24 | counter u24: no fence comes twice, so no lease does. */
struct status plan_lease_open(struct plan *plan, void *arg)
{
    struct plan_lease *lease = arg;
    struct row_key key;
    struct bytes value;
    bool found = false;
    uint64_t last = 0;
    TRY(plan_get(plan, row_key_last_lease(&key), &value, &found));
    if (found) {
        TRY(rows_last_decode(value, &last));
    }
    uint64_t first = (uint64_t)plan->env->fence << COUNTER_BITS;
    lease->lease = last < first ? first + 1 : last + 1;
    if (lease->lease > first + COUNTER_MAX) {
        return plan_settle(plan, OUTCOME(UNAVAILABLE));
    }
    BUFFER(encoded, KV_VALUE_MAX);
    rows_last_encode(&encoded, lease->lease);
    TRY(plan_put_row(plan, row_key_bytes(&key), &encoded));

    struct row_lease row = {
        .state = LEASE_OPEN,
        .opened_ms = plan->env->now_ms,
        .renewed_ms = plan->env->now_ms,
        .uri = bytes_text(plan->env->uri),
    };
    memcpy(row.cert_sha256, plan->env->cert_sha256, sizeof(row.cert_sha256));
    return put_lease(plan, lease->lease, &row);
}

struct status plan_lease_renew(struct plan *plan, void *arg)
{
    struct plan_lease *lease = arg;
    struct row_key key;
    struct bytes value;
    bool found = false;
    lease->is_open = false;
    TRY(plan_get(plan, row_key_lease(&key, lease->lease), &value, &found));
    if (!found) {
        return plan_settle(plan, OUTCOME(DONE));
    }
    struct row_lease row;
    TRY(rows_lease_decode(value, &row));
    if (row.state != LEASE_OPEN || !bytes_equal(row.uri, bytes_text(plan->env->uri))) {
        return plan_settle(plan, OUTCOME(DONE));
    }
    lease->is_open = true;
    row.renewed_ms = plan->env->now_ms;
    memcpy(row.cert_sha256, plan->env->cert_sha256, sizeof(row.cert_sha256));
    return put_lease(plan, lease->lease, &row);
}
