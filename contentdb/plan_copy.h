#pragma once

/*
 * COPY: a new version over the data and contents of another head of the bucket, with reference rows
 * of its own. Refused when the source is no longer the version that was copied.
 */

#include "contentdb/commit_check.h"
#include "contentdb/plan_head.h"

/* arg: struct commit. */
struct status plan_copy_object(struct plan *plan, void *arg);
