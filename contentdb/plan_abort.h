#pragma once

/*
 * AbortUpload: the upload is marked first, so that no part and no Complete comes after it, then its
 * parts become garbage, a few thousand in a plan, and the row goes last. Also takes the T rows that
 * a large Complete left behind.
 */

#include "contentdb/plan_head.h"

struct plan_abort {
    struct id16 bucket;
    struct id16 tenant;
    struct id16 upload;
    struct bytes name;
    bool with_done;   /* Sweep: drop the row of a completed upload too. */
    bool is_finished; /* Set by plan_abort_sweep: nothing is left. */
};

/* arg: struct plan_abort. NO_SUCH_UPLOAD unless open or being aborted. */
struct status plan_abort_mark(struct plan *plan, void *arg);
/* arg: struct plan_abort. Of a bucket that is being deleted too. */
struct status plan_abort_sweep(struct plan *plan, void *arg);
/* As plan_abort_mark, but of a bucket that is being deleted. */
struct status plan_abort_force(struct plan *plan, void *arg);
