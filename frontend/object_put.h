#pragma once

/* PutObject: authorised before a byte of the body is asked for, committed after the last one was
 * verified, answered once the commit is durable. */

#include "frontend/frontend.h"

MUST_CHECK struct status object_put(struct frontend_call *call);
