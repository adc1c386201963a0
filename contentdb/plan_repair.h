#pragma once

/*
 * Repair (DESIGN 8): reserve in P first, so that no sweep takes the new fragment for a stray; then
 * the steward writes it; then confirm. A task (Q) is a chunk to look at, the more urgent the fewer
 * fragments it can still lose.
 */

#include "contentdb/plan_steward.h"

struct plan_repair {
    uint32_t fence;     /* Of the steward; not for plan_repair_report. */
    struct id16 bucket; /* plan_repair_report only: the content must be the bucket's. */
    struct content content;
    uint32_t page;
    uint32_t chunk;
    uint32_t index; /* Of the fragment. */
    uint32_t account;
    uint32_t last_account; /* Accounts 1 to this are known. */
    uint32_t copy;         /* Set by reserve; given to confirm. */
    uint8_t priority;      /* finish */
};

/* arg: struct plan_repair, for all. NOT_FOUND: there is no such chunk, or nobody refers to it. */
struct status plan_repair_report(struct plan *plan, void *arg);
/* The entry becomes MISSING at (account, copy). EXISTS: the account has a fragment of the chunk. */
struct status plan_repair_reserve(struct plan *plan, void *arg);
/* MISSING at (account, copy) -> STORED; the task goes when nothing is missing any more.
 * PRECONDITION: somebody reserved anew. */
struct status plan_repair_confirm(struct plan *plan, void *arg);
struct status plan_repair_finish(struct plan *plan, void *arg);
