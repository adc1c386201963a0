#pragma once

/*
 * Who is asking: each request is proved to the key store before anything is done or told
 * (DESIGN 4). Also the two caches that spare calls: the id behind a bucket's name for a few
 * seconds, and grants until shortly before they end. Any thread; an access belongs to its request.
 */

#include "frontend/frontend.h"

MUST_CHECK struct status access_cache_new(struct access_cache **ret_cache);
void access_cache_free(struct access_cache *cache);

/* What was proved. */
struct access {
    struct content_bucket bucket;
    struct key_authorize_result *result; /* Owned. */
    int64_t grant_end_ms;                /* Monotonic: renew the grant before. */
};

void access_free(struct access *access);

/* The version record to open. */
struct access_record {
    struct bytes record;
    struct bytes vmac;
    struct bytes key_ref;
};

/*
 * Prove the request for operation and, where its target names a bucket, for that bucket: the
 * answer has a grant then. record is for KEY_OPEN, else NULL. On failure the call's error is set;
 * NoSuchBucket is said only to who proved to be somebody.
 */
MUST_CHECK struct status access_prove(
    struct frontend_call *call, enum key_operation operation, const struct access_record *record,
    struct access **ret_access);

/* The same for a named bucket other than the target's: the source of a copy. */
MUST_CHECK struct status access_prove_bucket(
    struct frontend_call *call, struct bytes name, enum key_operation operation,
    const struct access_record *record, struct access **ret_access);

/* The same for a bucket whose id is known already. */
MUST_CHECK struct status access_prove_found(
    struct frontend_call *call, const struct content_bucket *bucket, enum key_operation operation,
    struct access **ret_access);

/* The id behind the name; is_found false for none. */
MUST_CHECK struct status
access_resolve(struct frontend_call *call, struct bytes name, struct content_bucket *ret_bucket);

/* A grant for the bucket with that right (GRANT_READ or GRANT_WRITE) that some request obtained
 * lately, to look things up before this one is proved; false where there is none. */
bool access_cached_grant(
    struct frontend_call *call, const struct id16 *bucket, unsigned right,
    uint8_t ret_grant[GRANT_SIZE]);

/* A grant that was refused: forget those of the bucket, and its name. */
void access_forget(struct frontend_call *call, struct bytes name, const struct id16 *bucket);

/* The grant as a message field; renewed first if it is about to end. */
MUST_CHECK struct status
access_grant(struct frontend_call *call, struct access *access, ProtobufCBinaryData *ret_grant);

/* The S3 error that a verdict means. */
enum s3_error access_error_of_verdict(enum key_verdict verdict);

DEFINE_OWNED(access_cache)
DEFINE_OWNED(access)
