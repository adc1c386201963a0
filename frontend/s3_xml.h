#pragma once

/*
 * S3's XML: the answers we write and the three documents we read.
 *
 * Writers append to a buffer and escape every value; bytes that XML cannot carry become "?"
 * unless encodes_url is set. Readers take no DTD, no entities, nothing from files or the network,
 * and stop at their bounds.
 */

#include "lib/base/arena.h"
#include "lib/base/buffer.h"

enum { S3_XML_PARTS_MAX = 10000, S3_XML_DELETE_MAX = 1000, S3_XML_BODY_MAX = 2 * 1024 * 1024 };

/* Append text with & < > " ' and carriage returns escaped. */
void s3_xml_escape(struct buffer *xml, struct bytes text);

/* ListAllMyBucketsResult */
struct s3_xml_bucket {
    struct bytes name;
    int64_t created_ms;
};
void s3_xml_list_buckets(
    struct buffer *xml, struct bytes owner, const struct s3_xml_bucket *buckets, size_t count);

/* ListBucketResult, versions 1 and 2 */
struct s3_xml_object {
    struct bytes key;
    int64_t modified_ms;
    struct bytes etag; /* Without quotes. */
    uint64_t size;
};
struct s3_xml_list {
    bool is_v2;
    bool encodes_url;
    bool is_truncated;
    struct bytes bucket;
    struct bytes prefix;
    struct bytes delimiter;
    uint32_t max_keys;
    struct bytes start_after;       /* V2 StartAfter, V1 Marker. */
    struct bytes continuation;      /* V2 ContinuationToken; empty: absent. */
    struct bytes next_continuation; /* V2 NextContinuationToken, V1 NextMarker; empty: absent. */
    bool has_owner;
    struct bytes owner; /* Id and display name; empty without has_owner. */
    const struct s3_xml_object *objects;
    size_t object_count;
    const struct bytes *prefixes; /* CommonPrefixes */
    size_t prefix_count;
};
void s3_xml_list_objects(struct buffer *xml, const struct s3_xml_list *list);

/* LocationConstraint; "us-east-1" is written as empty, as S3 does. */
void s3_xml_location(struct buffer *xml, struct bytes region);

/* VersioningConfiguration of a bucket that never had versioning. */
void s3_xml_versioning(struct buffer *xml);

/* CopyObjectResult and, with is_part, CopyPartResult. */
void s3_xml_copy_result(struct buffer *xml, bool is_part, struct bytes etag, int64_t modified_ms);

/* InitiateMultipartUploadResult */
void s3_xml_create_upload(
    struct buffer *xml, struct bytes bucket, struct bytes key, struct bytes upload_id);

/* CompleteMultipartUploadResult */
void s3_xml_complete_upload(
    struct buffer *xml, struct bytes location, struct bytes bucket, struct bytes key,
    struct bytes etag);

/* ListPartsResult */
struct s3_xml_part {
    uint32_t number;
    int64_t modified_ms;
    struct bytes etag;
    uint64_t size;
};
struct s3_xml_parts {
    struct bytes bucket;
    struct bytes key;
    struct bytes upload_id;
    struct bytes owner;
    uint32_t marker;
    uint32_t next_marker;
    uint32_t max;
    bool is_truncated;
    const struct s3_xml_part *parts;
    size_t count;
};
void s3_xml_list_parts(struct buffer *xml, const struct s3_xml_parts *list);

/* ListMultipartUploadsResult */
struct s3_xml_upload {
    struct bytes key;
    struct bytes upload_id;
    int64_t created_ms;
};
struct s3_xml_uploads {
    struct bytes bucket;
    struct bytes prefix;
    struct bytes delimiter;
    struct bytes key_marker;
    struct bytes upload_id_marker;
    struct bytes next_key_marker;
    struct bytes next_upload_id_marker;
    struct bytes owner;
    uint32_t max;
    bool encodes_url;
    bool is_truncated;
    const struct s3_xml_upload *uploads;
    size_t count;
    const struct bytes *prefixes;
    size_t prefix_count;
};
void s3_xml_list_uploads(struct buffer *xml, const struct s3_xml_uploads *list);

/* DeleteResult: begin, one call a key, end. code is NULL for success. */
void s3_xml_delete_begin(struct buffer *xml);
void s3_xml_delete_key(struct buffer *xml, struct bytes key, const char *code, const char *message);
void s3_xml_delete_end(struct buffer *xml);

/* CompleteMultipartUpload: 1 to 10,000 parts, ascending. INVALID: MalformedXML; CONFLICT: the
 * parts are not in ascending order. */
struct s3_xml_complete_part {
    uint32_t number;
    struct bytes etag; /* Without quotes; in the arena. */
};
MUST_CHECK struct status s3_xml_parse_complete(
    struct bytes xml, struct arena *arena, const struct s3_xml_complete_part **ret_parts,
    size_t *ret_count);

/* CreateBucketConfiguration: the location, empty where absent. An empty body is allowed. */
MUST_CHECK struct status
s3_xml_parse_create_bucket(struct bytes xml, struct arena *arena, struct bytes *ret_location);

/* Delete: 1 to 1,000 keys. */
struct s3_xml_delete_key_item {
    struct bytes key;
    struct bytes version_id; /* Empty where absent. */
};
MUST_CHECK struct status s3_xml_parse_delete(
    struct bytes xml, struct arena *arena, const struct s3_xml_delete_key_item **ret_items,
    size_t *ret_count, bool *ret_is_quiet);
