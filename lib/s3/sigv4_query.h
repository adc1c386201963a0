#pragma once

/* The query line of a canonical request. Internal to sigv4_target. */

#include "lib/s3/sigv4_target.h"

/* Fill in the parameters and what they mean: subresources, ids, part number, presigned window. */
MUST_CHECK struct status
sigv4_query_parse(struct bytes line, struct arena *arena, struct sigv4_target *target);
