#pragma once

/* DeleteObject and DeleteObjects. Deleting what is not there succeeds, as in S3. */

#include "frontend/frontend.h"

MUST_CHECK struct status object_delete(struct frontend_call *call);
MUST_CHECK struct status object_delete_many(struct frontend_call *call);
