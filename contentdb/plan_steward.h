#pragma once

/*
 * The one active steward. Row K has its fence; a steward that was replaced has a lower one and is
 * refused. How long it lives is the service's to judge (is_free), by its own clock.
 */

#include "contentdb/plan_head.h"

struct plan_steward {
    uint32_t held;  /* The fence that the caller says it has; 0: none. */
    bool is_free;   /* The life of whoever holds it is over. */
    bool is_active; /* Set: the caller is it now, */
    uint32_t fence; /* with this fence. */
};

/* arg: struct plan_steward. */
struct status plan_steward_take(struct plan *plan, void *arg);

/* DENIED unless the caller is the steward with this fence. */
MUST_CHECK struct status plan_steward_check(struct plan *plan, uint32_t fence);
