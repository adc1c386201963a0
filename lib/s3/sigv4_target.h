#pragma once

/*
 * What a signed request is about: the strict parse of its canonical request.
 *
 * Frontend and key store read the same bytes with this one unit, so that what the key store
 * authorises is what the frontend does. Anything ambiguous is INVALID: headers or parameters
 * unsorted or repeated, an encoding other than the canonical one, a host that is not signed,
 * bytes left over. Pure function, any thread; fuzzed.
 */

#include "lib/s3/sigv4.h"

enum sigv4_verb { SIGV4_GET, SIGV4_HEAD, SIGV4_PUT, SIGV4_POST, SIGV4_DELETE };

enum sigv4_payload {
    SIGV4_PAYLOAD_SHA256,            /* 64 hex digits. */
    SIGV4_PAYLOAD_UNSIGNED,          /* UNSIGNED-PAYLOAD */
    SIGV4_PAYLOAD_STREAMING,         /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    SIGV4_PAYLOAD_STREAMING_TRAILER, /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
    SIGV4_PAYLOAD_UNSIGNED_TRAILER,  /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

/* Query parameters that choose the operation. */
enum sigv4_subresource {
    SIGV4_SUB_UPLOADS = 1 << 0,
    SIGV4_SUB_UPLOAD_ID = 1 << 1,
    SIGV4_SUB_PART_NUMBER = 1 << 2,
    SIGV4_SUB_VERSION_ID = 1 << 3,
    SIGV4_SUB_LOCATION = 1 << 4,
    SIGV4_SUB_DELETE = 1 << 5,
    SIGV4_SUB_LIST_TYPE = 1 << 6,
    SIGV4_SUB_VERSIONING = 1 << 7,
    SIGV4_SUB_OTHER = 1 << 8, /* One that S3 knows and we do not: acl, policy, tagging, ... */
};

struct sigv4_target {
    enum sigv4_verb verb;
    struct bytes bucket;   /* Empty for the service itself (ListBuckets). A valid name otherwise. */
    struct bytes key;      /* Decoded; empty for the bucket itself; else 1 to 1024 bytes, no NUL. */
    unsigned subresources; /* enum sigv4_subresource, joined. */
    struct bytes version_id; /* Decoded values; empty where absent. */
    struct bytes upload_id;
    uint32_t part_number; /* 1 to 10,000; 0 where absent. */
    bool has_copy_source; /* From the signed header x-amz-copy-source. */
    struct bytes copy_bucket;
    struct bytes copy_key;
    struct bytes copy_version_id;
    enum sigv4_payload payload;
    uint8_t payload_sha256[32]; /* Only for SIGV4_PAYLOAD_SHA256. */
    bool is_presigned;          /* X-Amz-Algorithm stands in the query. */
    int64_t expires_s;          /* X-Amz-Expires of a presigned request, at most 7 days; else 0. */
    struct bytes host;
    struct bytes amz_date;       /* Signed x-amz-date, or X-Amz-Date of a presigned request. */
    struct bytes content_sha256; /* Signed x-amz-content-sha256; empty where absent. */
    struct bytes signed_headers;
    const struct sigv4_pair *headers; /* Signed ones, sorted. In the arena. */
    size_t header_count;
    const struct sigv4_pair *parameters; /* Decoded, in the canonical order. In the arena. */
    size_t parameter_count;
};

/*
 * Parse canonical (at most SIGV4_CANONICAL_MAX bytes, which outlive the target). domain is the
 * suffix of virtual-host buckets, "s3.example.org"; empty where only path-style is served. INVALID
 * says in its text what is wrong; UNSUPPORTED for another verb; NO_MEMORY when the arena is full.
 */
MUST_CHECK struct status sigv4_target_parse(
    struct bytes canonical, struct bytes domain, struct arena *arena,
    struct sigv4_target *ret_target);

/* The value of a signed header (lower-case name) or of a parameter; false where absent. */
bool sigv4_target_header(
    const struct sigv4_target *target, const char *name, struct bytes *ret_value);
bool sigv4_target_parameter(
    const struct sigv4_target *target, const char *name, struct bytes *ret_value);

/* The payload kind that an x-amz-content-sha256 value names; INVALID for any other text. */
MUST_CHECK struct status
sigv4_target_payload(struct bytes text, enum sigv4_payload *ret_payload, uint8_t ret_sha256[32]);

/* Split a copy source, "/bucket/key" or "bucket/key" percent-encoded, with ?versionId=. */
MUST_CHECK struct status sigv4_target_copy_source(
    struct arena *arena, struct bytes text, struct bytes *ret_bucket, struct bytes *ret_key,
    struct bytes *ret_version_id);
