#pragma once

/* Leases: the right of one frontend process to commit (DESIGN 8). */

#include "contentdb/plan_head.h"

struct plan_lease {
    uint64_t lease; /* Set by open; given to renew. u48. */
    bool is_open;   /* Set by renew. */
};

/* arg: struct plan_lease, for both. */
struct status plan_lease_open(struct plan *plan, void *arg);
struct status plan_lease_renew(struct plan *plan, void *arg);
