#pragma once

/* UploadPart and UploadPartCopy: a part is stored as an object of its own content, under the
 * upload's key, and becomes visible with Complete. */

#include "frontend/frontend.h"

MUST_CHECK struct status multipart_part(struct frontend_call *call);
MUST_CHECK struct status multipart_part_copy(struct frontend_call *call);
