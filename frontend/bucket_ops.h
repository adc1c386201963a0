#pragma once

/* Requests about buckets. A bucket is made in three steps (DESIGN 4): the key store draws its keys,
 * the content DB takes the name, the key store makes it active; deleted in the other order. */

#include "frontend/frontend.h"

MUST_CHECK struct status bucket_ops_list(struct frontend_call *call);
MUST_CHECK struct status bucket_ops_create(struct frontend_call *call);
MUST_CHECK struct status bucket_ops_head(struct frontend_call *call);
MUST_CHECK struct status bucket_ops_delete(struct frontend_call *call);
MUST_CHECK struct status bucket_ops_location(struct frontend_call *call);
MUST_CHECK struct status bucket_ops_versioning(struct frontend_call *call);
