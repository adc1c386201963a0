#pragma once

/* CompleteMultipartUpload: the parts become one version, in one plan of the content DB. */

#include "frontend/frontend.h"

MUST_CHECK struct status multipart_complete(struct frontend_call *call);
