#pragma once

/*
 * AWS Signature Version 4 for S3: the words of an authorization, and the arithmetic of a signature.
 *
 * The frontend parses the words; only the key store has secrets and does the arithmetic. Keys are
 * struct secret. Pure functions, any thread.
 */

#include "lib/base/arena.h"
#include "lib/base/buffer.h"
#include "lib/crypto/secret.h"

enum {
    SIGV4_SIGNATURE_SIZE = 32,
    SIGV4_ACCESS_KEY_MAX = 128,
    SIGV4_REGION_MAX = 64,
    SIGV4_CANONICAL_MAX = 16 * 1024,
    SIGV4_HEADERS_MAX = 100,
    SIGV4_PARAMETERS_MAX = 64,
    SIGV4_SKEW_S = 15 * 60,
    SIGV4_EXPIRES_MAX_S = 7 * 24 * 3600,
};

/* A header or a query parameter. */
struct sigv4_pair {
    struct bytes name;
    struct bytes value;
};

/* What a request says about its signature. Views into the text that was parsed. */
struct sigv4_authorization {
    struct bytes access_key; /* 1 to 128 characters of A-Z a-z 0-9 and "_-+=,.@". */
    struct bytes scope;      /* date/region/s3/aws4_request */
    struct bytes date;       /* 8 digits; equals the first 8 of timestamp. */
    struct bytes region;
    struct bytes signed_headers; /* "host;range;x-amz-date": lower case, sorted, unique. */
    struct bytes timestamp;      /* 20130524T000000Z */
    int64_t time_s;              /* The same as unix time. */
    bool is_presigned;           /* It came in the query. */
    int64_t expires_s;           /* Of a presigned request, 1 to 7 days; else 0. */
    uint8_t signature[SIGV4_SIGNATURE_SIZE];
};

/*
 * Parse an Authorization header, "AWS4-HMAC-SHA256 Credential=.../.../.../s3/aws4_request,
 * SignedHeaders=..., Signature=..."; timestamp is the x-amz-date header. INVALID if any word is
 * not as it must be, UNSUPPORTED for another scheme than AWS4-HMAC-SHA256.
 */
MUST_CHECK struct status sigv4_parse_header(
    struct bytes value, struct bytes timestamp, struct sigv4_authorization *ret_authorization);

/*
 * The same from the decoded query parameters of a presigned request: X-Amz-Algorithm,
 * X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders, X-Amz-Signature, once each.
 */
MUST_CHECK struct status sigv4_parse_query(
    const struct sigv4_pair *parameters, size_t count,
    struct sigv4_authorization *ret_authorization);

/* Parse a scope alone, "date/region/s3/aws4_request": what the key store is sent. */
MUST_CHECK struct status
sigv4_parse_scope(struct bytes scope, struct bytes *ret_date, struct bytes *ret_region);

/*
 * DENIED unless now_s is near enough: within 15 minutes of the timestamp, or for a presigned
 * request (expires_s > 0) not before it by more than that nor after it by more than expires_s.
 */
MUST_CHECK struct status sigv4_check_time(int64_t time_s, int64_t expires_s, int64_t now_s);

/* The signing key of a day, region and service: HMAC chain over "AWS4" || s3_secret. */
MUST_CHECK struct status sigv4_signing_key(
    const struct secret *s3_secret, struct bytes date, struct bytes region, struct bytes service,
    struct secret **ret_key);

/* Append the string to sign of a canonical request. */
MUST_CHECK struct status sigv4_string_to_sign(
    struct bytes timestamp, struct bytes scope, struct bytes canonical, struct buffer *text);

/* The signature of a canonical request. */
MUST_CHECK struct status sigv4_sign(
    const struct secret *signing_key, struct bytes timestamp, struct bytes scope,
    struct bytes canonical, uint8_t ret_signature[SIGV4_SIGNATURE_SIZE]);

/* The signature of a chunk of STREAMING-AWS4-HMAC-SHA256-PAYLOAD; previous is the request's own
 * signature for the first chunk. sha256 is of the chunk's data. */
MUST_CHECK struct status sigv4_sign_chunk(
    const struct secret *signing_key, struct bytes timestamp, struct bytes scope,
    const uint8_t previous[SIGV4_SIGNATURE_SIZE], const uint8_t sha256[32],
    uint8_t ret_signature[SIGV4_SIGNATURE_SIZE]);

/* The signature of the trailer of a -TRAILER payload; sha256 is of its canonical lines. */
MUST_CHECK struct status sigv4_sign_trailer(
    const struct secret *signing_key, struct bytes timestamp, struct bytes scope,
    const uint8_t previous[SIGV4_SIGNATURE_SIZE], const uint8_t sha256[32],
    uint8_t ret_signature[SIGV4_SIGNATURE_SIZE]);

/* Constant time. */
bool sigv4_equal(const uint8_t a[SIGV4_SIGNATURE_SIZE], const uint8_t b[SIGV4_SIGNATURE_SIZE]);
