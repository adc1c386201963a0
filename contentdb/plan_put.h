#pragma once

/* PUT: O, A, R, M, P, Q in one commit, and the version that was the head retired. */

#include "contentdb/commit_check.h"
#include "contentdb/plan_head.h"

/* arg: struct commit. */
struct status plan_put_object(struct plan *plan, void *arg);

/* For parts too: M, P and Q rows. INVALID if the content has pages already. */
MUST_CHECK struct status plan_put_pages(struct plan *plan, const struct commit *commit);

/* For every commit: bucket, lease, R row, condemned. */
MUST_CHECK struct status plan_put_check(struct plan *plan, struct commit *commit);

/* INVALID if the content10 was used before: its pages would go over those of another object. */
MUST_CHECK struct status plan_put_check_fresh(struct plan *plan, const struct commit *commit);
