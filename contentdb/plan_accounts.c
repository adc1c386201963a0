#include "contentdb/plan_accounts.h"

static struct status put_account(struct plan *plan, uint32_t number, const struct row_account *row)
{
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    rows_account_encode(&value, row);
    return plan_put_row(plan, row_key_account(&key, number), &value);
}

struct status plan_accounts_add(struct plan *plan, void *arg)
{
    struct plan_accounts_new *add = arg;
    struct row_key last_key;
    struct row_key key;
    struct bytes value;
    bool found = false;
    uint64_t last = 0;
    TRY(plan_get(plan, row_key_last_account(&last_key), &value, &found));
    if (found) {
        TRY(rows_last_decode(value, &last));
    }
    for (uint32_t number = 1; number <= last; number++) {
        struct row_account row;
        TRY(plan_get(plan, row_key_account(&key, number), &value, &found));
        if (!found) {
            continue;
        }
        TRY(rows_account_decode(value, &row));
        if (id16_equal(&row.account, &add->account.account)) {
            add->number = number;
            return plan_settle(plan, OUTCOME(DONE));
        }
    }
    if (last >= UINT32_MAX - 1) {
        return plan_settle(plan, OUTCOME(FULL));
    }
    add->number = (uint32_t)last + 1;
    BUFFER(encoded, KV_VALUE_MAX);
    rows_last_encode(&encoded, add->number);
    TRY(plan_put_row(plan, row_key_bytes(&last_key), &encoded));
    return put_account(plan, add->number, &add->account);
}
