#pragma once

/* DELETE: the head goes, its contents become garbage. Deleting what is not there is done at once.
 */

#include "contentdb/commit_check.h"
#include "contentdb/plan_head.h"

/* arg: struct commit. */
struct status plan_delete_object(struct plan *plan, void *arg);
