#pragma once

/* Range and If-... headers: from their text. Internal to s3_*; s3_request.h has what they mean. */

#include "frontend/s3_request.h"

/* One range of bytes; anything else, also several ranges, is S3_RANGE_NONE. */
struct s3_range s3_condition_parse_range(struct bytes text);

/* The four headers whose names begin with prefix: "" or "x-amz-copy-source-". A date that is none
 * is ignored, as RFC 9110 wants it. */
void s3_condition_parse(
    const struct http_request *http, const char *prefix, struct s3_conditions *ret_conditions);
