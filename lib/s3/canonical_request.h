#pragma once

/*
 * The canonical request of a received request: what the frontend builds and the key store checks.
 *
 * The path is decoded and encoded again (once, as S3 does), the query sorted, header values
 * trimmed and their inner white space made one space, repeated headers joined with commas.
 * X-Amz-Signature is left out of the query.
 */

#include "lib/s3/sigv4.h"

struct canonical_request_input {
    struct bytes method;              /* "GET" */
    struct bytes path;                /* As received, "/bucket/a%20key". */
    struct bytes query;               /* As received, after the '?'; may be empty. */
    const struct sigv4_pair *headers; /* As received; names of any case. */
    size_t header_count;
    struct bytes signed_headers; /* From the authorization. */
    struct bytes payload_hash;   /* The last line. */
};

/*
 * Append the canonical request to text. INVALID for a wrong percent-encoding or a signed header
 * that the request does not have; TOO_LARGE beyond SIGV4_CANONICAL_MAX or the pair limits.
 */
MUST_CHECK struct status canonical_request_build(
    const struct canonical_request_input *input, struct arena *arena, struct buffer *text);

/*
 * Split and decode a raw query string into at most max parameters, in the order received.
 * TOO_LARGE for more, INVALID for a wrong percent-encoding.
 */
MUST_CHECK struct status canonical_request_query(
    struct arena *arena, struct bytes query, struct sigv4_pair *parameters, size_t max,
    size_t *ret_count);
