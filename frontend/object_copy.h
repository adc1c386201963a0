#pragma once

/*
 * CopyObject. Inside a bucket a copy is a new version record over the same data and content; to
 * another bucket the object is read and sealed anew, so that a bucket stays the unit of shredding.
 */

#include "frontend/frontend.h"

MUST_CHECK struct status object_copy(struct frontend_call *call);
