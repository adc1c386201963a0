#pragma once

/*
 * One request to prove to the key store, and what the key store says of it (DESIGN 4).
 *
 * The result owns its keys and wipes them when freed. Values otherwise; a result belongs to one
 * thread at a time.
 */

#include "lib/capability/grant.h"
#include "lib/crypto/secret.h"
#include "lib/format/ids.h"
#include "lib/format/version_record.h"

enum key_operation {
    KEY_PROVE = 0,         /* Signature, principal, policy; a grant. */
    KEY_GENERATE = 1,      /* And a new object key. */
    KEY_OPEN = 2,          /* And the object key of the version record given. */
    KEY_CREATE_BUCKET = 3, /* And a new bucket in state creating. */
};

/* As in proto/key.proto: the numbers are the wire's. */
enum key_verdict {
    KEY_REFUSED = 0, /* Never given for an item that was judged. */
    KEY_ALLOWED = 1,
    KEY_MALFORMED = 2,
    KEY_UNKNOWN_KEY = 3,
    KEY_BAD_SIGNATURE = 4,
    KEY_SKEWED = 5,
    KEY_EXPIRED = 6,
    KEY_FORBIDDEN = 7,
    KEY_NO_SUCH_BUCKET = 8,
    KEY_MISMATCH = 9,
    KEY_BUSY = 10,
    KEY_FAILED = 11,
    KEY_UNSUPPORTED = 12,
};

enum {
    KEY_HANDLE_MAX = 256,
    KEY_REF_MAX = 64,
    KEY_PRINCIPAL_MAX = 63,
    KEY_AUTHORIZE_ITEMS_MAX = 64,
    KEY_VERIFY_CHUNKS_MAX = 512,
    KEY_TOKENS_MAX = 512,
};

/* Views are borrowed until key_client_authorize returns. */
struct key_authorize_item {
    struct bytes canonical_request; /* At most SIGV4_CANONICAL_MAX. */
    struct bytes date;              /* 20260131T235959Z */
    struct bytes scope;             /* 20260131/us-east-1/s3/aws4_request */
    struct bytes access_key;
    uint8_t signature[32];
    uint32_t presigned_expires_s; /* 0: signed in the header. */
    bool has_bucket;
    /*
     * The bucket's id, as the content DB resolved the name. For OPEN of a copy: the bucket of the
     * record, so the source's. For CREATE_BUCKET: none, or the id of a bucket of that name that
     * the content DB has, to finish what a lost request began: the same id comes back.
     */
    struct id16 bucket;
    uint32_t shard; /* Of the grant. */
    enum key_operation operation;
    /* OPEN. A record with flag 1 is an upload's: the signed uploadId must be hex(version16).
     * Without it, in a copy, the record is the source's, and else the target's. */
    struct bytes version_record;
    struct bytes vmac;
    struct bytes key_ref;
};

/* Everything but the verdict is zero or NULL unless the verdict is KEY_ALLOWED. */
struct key_authorize_result {
    enum key_verdict verdict;
    struct id16 tenant;
    char principal[KEY_PRINCIPAL_MAX + 1]; /* The access key. */
    uint32_t rights;
    bool has_grant; /* Not for an unknown bucket: it was proved only. */
    uint8_t grant[GRANT_SIZE];
    uint8_t handle[KEY_HANDLE_MAX]; /* For RenewGrant, VerifyChunks, Activate-, DropBucket. */
    size_t handle_size;
    struct secret *attribute_key; /* Owned. AK, with a bucket. */
    struct secret *object_key;    /* Owned. FK: GENERATE, OPEN. */
    struct id16 data;             /* GENERATE. */
    uint8_t key_ref[KEY_REF_MAX]; /* GENERATE. */
    size_t key_ref_size;
    struct id16 bucket; /* CREATE_BUCKET. */
};

void key_authorize_result_free(struct key_authorize_result *result);

/* "BAD_SIGNATURE", for logs. */
const char *key_authorize_verdict_name(enum key_verdict verdict);

DEFINE_OWNED(key_authorize_result)
