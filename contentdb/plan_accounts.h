#pragma once

/* Accounts of the cluster: each gets a number that is never used again. */

#include "contentdb/plan_head.h"

struct plan_accounts_new {
    struct row_account account; /* Borrowed texts. */
    uint32_t number;            /* Set: new, or the one that the account has. */
};

/* arg: struct plan_accounts_new. Idempotent on account16. */
struct status plan_accounts_add(struct plan *plan, void *arg);
