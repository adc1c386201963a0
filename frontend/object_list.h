#pragma once

/* ListObjects and ListObjectsV2. A continuation token is the name to go on behind, in hex. */

#include "frontend/frontend.h"

MUST_CHECK struct status object_list(struct frontend_call *call);
