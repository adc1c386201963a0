#pragma once

/*
 * An S3 request: operation, resource, conditions, metadata, and what the key store needs to prove
 * it. Made from an HTTP request before a byte of the body is read. Everything lives in the arena.
 *
 * The resource comes from the canonical request alone, through sigv4_target, so the key store
 * authorises exactly what is done here. Every x-amz-* header must be signed.
 */

#include "frontend/s3_error.h"
#include "lib/s3/s3_operation.h"

enum { S3_PARTS_MAX = 10000, S3_METADATA_MAX = 2048, S3_LIST_MAX = 1000 };

/* One range of bytes, as asked for. */
enum s3_range_kind { S3_RANGE_NONE, S3_RANGE_FROM, S3_RANGE_FROM_TO, S3_RANGE_SUFFIX };
struct s3_range {
    enum s3_range_kind kind;
    uint64_t first; /* FROM, FROM_TO */
    uint64_t last;  /* FROM_TO, inclusive */
    uint64_t size;  /* SUFFIX: the last size bytes */
};

/*
 * The part [*ret_offset, *ret_offset + *ret_length) of an object of size bytes; the whole for
 * S3_RANGE_NONE. RANGE if it lies outside.
 */
MUST_CHECK struct status s3_request_resolve_range(
    const struct s3_range *range, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length);

/* If-Match and its kin. ETag texts are as received (with quotes, lists, "*"); empty: absent. */
struct s3_conditions {
    struct bytes if_match;
    struct bytes if_none_match;
    bool has_if_modified_since;
    bool has_if_unmodified_since;
    int64_t if_modified_since_s;
    int64_t if_unmodified_since_s;
};

/*
 * Check the conditions against an object's ETag (without quotes) and time, in the order of
 * RFC 9110: S3_ERROR_NONE, PRECONDITION_FAILED, or NOT_MODIFIED (reads only).
 */
enum s3_error s3_request_check_conditions(
    const struct s3_conditions *conditions, bool is_read, struct bytes etag, int64_t modified_s);

/* True if an If-Match style list names the ETag (without quotes), or is "*". */
bool s3_request_etag_matches(struct bytes list, struct bytes etag);

/* What the body must prove to be; see s3_body. */
struct s3_checksums {
    bool has_md5;           /* Content-MD5 */
    bool has_sha256_header; /* x-amz-checksum-sha256 */
    bool has_crc32;
    bool has_crc32c;
    bool has_crc64; /* CRC-64/NVME */
    bool is_aws_chunked;
    bool trailer_crc32; /* x-amz-trailer announces it. */
    bool trailer_crc32c;
    bool trailer_crc64;
    bool trailer_sha256;
    uint8_t md5[16];
    uint8_t sha256[32];
    uint32_t crc32;
    uint32_t crc32c;
    uint64_t crc64;
    int64_t decoded_length; /* Of the payload; -1 if the client did not say. */
};

struct s3_request {
    enum s3_operation operation;
    struct sigv4_target target; /* bucket, key, upload_id, parameters, payload, copy source ... */
    struct sigv4_authorization authorization;
    struct bytes canonical;     /* Goes to the key store with the authorization. */
    struct s3_range range;      /* A malformed Range header is ignored, as S3 does. */
    struct s3_range copy_range; /* x-amz-copy-source-range */
    struct s3_conditions conditions;
    struct s3_conditions copy_conditions; /* x-amz-copy-source-if-... */
    struct s3_checksums checksums;
    /* Attributes to store: content-type, content-encoding (without aws-chunked),
     * content-disposition, content-language, cache-control, expires and x-amz-meta-*: lower-case
     * names, sorted, unique. */
    const struct sigv4_pair *attributes;
    size_t attribute_count;
    bool replaces_metadata; /* x-amz-metadata-directive: REPLACE */
};

/*
 * Read the request, and check its time against the clock. Anything but S3_ERROR_NONE is the answer
 * to give. *ret_request is set but where memory lacks. *ret_why says which check failed, for the
 * log; a literal. domain as in sigv4_target_parse.
 */
enum s3_error s3_request_parse(
    const struct http_request *http, struct bytes domain, struct arena *arena,
    struct s3_request **ret_request, const char **ret_why);

/* The arguments of ListObjects and ListObjectsV2. */
struct s3_list_arguments {
    bool is_v2;
    bool encodes_url; /* encoding-type=url */
    bool fetches_owner;
    struct bytes prefix;
    struct bytes delimiter;
    struct bytes start_after;  /* V2 start-after, V1 marker. */
    struct bytes continuation; /* V2 continuation-token, as given. */
    bool has_continuation;
    uint32_t max_keys; /* 0 to 1,000; 1,000 where absent. */
};
enum s3_error
s3_request_list_arguments(const struct s3_request *request, struct s3_list_arguments *ret);

/* The arguments of ListParts and ListMultipartUploads. */
struct s3_parts_arguments {
    uint32_t marker; /* part-number-marker */
    uint32_t max;    /* 0 to 1,000 */
};
enum s3_error
s3_request_parts_arguments(const struct s3_request *request, struct s3_parts_arguments *ret);

struct s3_uploads_arguments {
    struct bytes prefix;
    struct bytes delimiter;
    struct bytes key_marker;
    struct bytes upload_id_marker;
    bool encodes_url;
    uint32_t max;
};
enum s3_error
s3_request_uploads_arguments(const struct s3_request *request, struct s3_uploads_arguments *ret);

/* A response-content-type style override of GetObject; false where absent. */
bool s3_request_override(
    const struct s3_request *request, const char *header, struct bytes *ret_value);
