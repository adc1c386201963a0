#pragma once

/*
 * Resolve: did a commit happen? If not, it never will: R = killed, so that a late one loses and
 * what it wrote to the blob nodes is reclaimed.
 */

#include "contentdb/plan_head.h"

struct plan_resolve {
    struct id16 bucket;
    struct content content;
    struct id16 owner; /* Version, upload or zero: as the commit's. */
    uint64_t seq;      /* Set: of the commit, with DONE. */
};

/* arg: struct plan_resolve. DONE: it is committed. KILLED. DENIED: not the caller's content. */
struct status plan_resolve_commit(struct plan *plan, void *arg);
