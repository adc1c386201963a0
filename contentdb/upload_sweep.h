#pragma once

/* What takes several plans: the parts of an upload that ended, the uploads of a bucket that goes.
 */

#include "contentdb/content_state.h"
#include "contentdb/plan_abort.h"
#include "contentdb/plan_buckets.h"

/* Sweep until nothing is left, the deadline is over or something fails. */
Triad__Content__Outcome upload_sweep_run(
    struct content_service *service, struct rpc_call *call, struct plan_abort *abort,
    Triad__Content__Position *position);

/* Abort and sweep every upload of a bucket in state deleting, then drop its rows. What is left by
 * a failure stays garbage under that bucket. */
MUST_CHECK struct status upload_sweep_bucket(
    struct content_service *service, struct rpc_call *call, struct plan_buckets *bucket,
    Triad__Content__Position *position);
