#pragma once

/* GetObject and HeadObject: conditions, one range, the stored headers, the verified bytes. */

#include "frontend/object_open.h"

MUST_CHECK struct status object_get(struct frontend_call *call);
