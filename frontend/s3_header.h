#pragma once

/* The headers of an S3 request besides its authorization: checksums, attributes, and what we must
 * not ignore. Internal to s3_*. */

#include "frontend/s3_request.h"

/* NOT_IMPLEMENTED for a header that asks for what we do not do, such as SSE-C or a public ACL. */
enum s3_error s3_header_check_supported(const struct http_request *http);

/* What the body must prove to be. */
enum s3_error s3_header_checksums(const struct http_request *http, struct s3_request *request);

/* What is stored with the object. */
enum s3_error s3_header_attributes(
    const struct http_request *http, struct arena *arena, struct s3_request *request);
