#pragma once

/* GetObject and HeadObject: conditions, one range, the stored headers, the verified bytes. */

#include "frontend/object_open.h"

MUST_CHECK struct status object_get(struct frontend_call *call);

/* ETag, Last-Modified, metadata and the like: what GET and HEAD tell of an object. */
void object_get_headers(struct frontend_call *call, const struct object_open *object);
