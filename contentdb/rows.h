#pragma once

/*
 * The values of the content DB's rows, byte by byte in FORMATS 10.
 *
 * Each begins with a format version, 1. Decoding checks every length and state and borrows from
 * the value; CORRUPT names the field. M, P, S and A rows are the formats of FORMATS 5 as they came.
 */

#include "lib/base/buffer.h"
#include "lib/format/ids.h"
#include "lib/format/version_record.h"

enum {
    ROW_KEY_REF_MAX = 512,
    ROW_ATTRIBUTES_INLINE = 256,    /* More stand in an A row. */
    ROW_ATTRIBUTES_MAX = 32 * 1024, /* Sealed. */
    ROW_TEXT_MAX = 255,
};

/* N: who has a bucket's name. */
struct row_name {
    struct id16 bucket;
    struct id16 tenant;
    uint32_t shard; /* One entry from the empty name on. */
};

/* n: a tenant's bucket. */
struct row_tenant_bucket {
    struct id16 bucket;
    uint64_t created_ms;
};

enum bucket_state { BUCKET_ACTIVE = 1, BUCKET_DELETING = 2 };

/* B */
struct row_bucket {
    enum bucket_state state;
    struct id16 tenant;
    uint64_t created_ms;
    struct bytes name;
};

/* B usage: of the heads. */
struct row_usage {
    uint64_t objects;
    uint64_t bytes;
};

/* O: the head of a name. */
struct row_object {
    uint64_t seq;
    struct bytes record; /* VERSION_RECORD_SIZE */
    struct bytes vmac;   /* VERSION_MAC_SIZE */
    struct bytes key_ref;
    bool is_outside;         /* The attributes stand in row A of this seq. */
    struct bytes attributes; /* Empty if outside. */
};

enum reference_state { REFERENCE_LIVE = 1, REFERENCE_DEAD = 2, REFERENCE_KILLED = 3 };

/* R: an owner of a content. Dead: it was. Killed: it never will be. */
struct row_reference {
    enum reference_state state;
    struct id16 bucket;
    uint64_t seq; /* Of the commit. 0: killed. */
};

/*
 *   open -> done          CompleteUpload
 *   open -> aborting      AbortUpload; then parts go, then the row
 * completing is kept for a Complete of several plans.
 */
enum upload_state { UPLOAD_OPEN = 1, UPLOAD_COMPLETING = 2, UPLOAD_DONE = 3, UPLOAD_ABORTING = 4 };

/* U */
struct row_upload {
    enum upload_state state;
    uint64_t created_ms;
    struct bytes record; /* Of the open upload. */
    struct bytes vmac;
    struct bytes key_ref;
    struct bytes attributes; /* All of them; empty when done. */
    uint64_t done_seq;       /* These three only when done: the version that it became. */
    struct bytes done_record;
    struct bytes done_vmac;
};

/* T */
struct row_part {
    struct content content;
    uint8_t etag[16]; /* Masked. */
    uint64_t size;
    uint32_t chunks;
    uint64_t modified_ms;
};

enum lease_state { LEASE_OPEN = 1, LEASE_CLOSED = 2 };

/* L */
struct row_lease {
    enum lease_state state;
    uint64_t opened_ms;
    uint64_t renewed_ms;
    uint8_t cert_sha256[32];
    struct bytes uri; /* SAN URI of the frontend. */
};

/* a */
struct row_account {
    struct id16 account;
    struct id16 store_uuid;
    uint8_t state; /* 1 active, 2 draining, 3 suspect, 4 gone. */
    uint64_t durable_lsn;
    struct bytes node_id;
    struct bytes address;
    struct bytes tls_name;
    struct bytes failure_domain;
};

/* K: the active steward. */
struct row_steward {
    uint32_t fence;
    uint8_t cert_sha256[32];
    struct bytes uri;
};

/* Q, D: since when. */
struct row_stamp {
    struct id16 bucket; /* Zero where not known. */
    uint64_t since_ms;
};

void rows_name_encode(struct buffer *to, const struct row_name *row);
void rows_tenant_bucket_encode(struct buffer *to, const struct row_tenant_bucket *row);
void rows_bucket_encode(struct buffer *to, const struct row_bucket *row);
void rows_usage_encode(struct buffer *to, const struct row_usage *row);
void rows_object_encode(struct buffer *to, const struct row_object *row);
void rows_reference_encode(struct buffer *to, const struct row_reference *row);
void rows_upload_encode(struct buffer *to, const struct row_upload *row);
void rows_part_encode(struct buffer *to, const struct row_part *row);
void rows_lease_encode(struct buffer *to, const struct row_lease *row);
void rows_account_encode(struct buffer *to, const struct row_account *row);
void rows_steward_encode(struct buffer *to, const struct row_steward *row);
void rows_stamp_encode(struct buffer *to, const struct row_stamp *row);
/* L alone, a alone: the last number given. */
void rows_last_encode(struct buffer *to, uint64_t last);

MUST_CHECK struct status rows_name_decode(struct bytes value, struct row_name *ret_row);
MUST_CHECK struct status
rows_tenant_bucket_decode(struct bytes value, struct row_tenant_bucket *ret_row);
MUST_CHECK struct status rows_bucket_decode(struct bytes value, struct row_bucket *ret_row);
MUST_CHECK struct status rows_usage_decode(struct bytes value, struct row_usage *ret_row);
MUST_CHECK struct status rows_object_decode(struct bytes value, struct row_object *ret_row);
MUST_CHECK struct status rows_reference_decode(struct bytes value, struct row_reference *ret_row);
MUST_CHECK struct status rows_upload_decode(struct bytes value, struct row_upload *ret_row);
MUST_CHECK struct status rows_part_decode(struct bytes value, struct row_part *ret_row);
MUST_CHECK struct status rows_lease_decode(struct bytes value, struct row_lease *ret_row);
MUST_CHECK struct status rows_account_decode(struct bytes value, struct row_account *ret_row);
MUST_CHECK struct status rows_steward_decode(struct bytes value, struct row_steward *ret_row);
MUST_CHECK struct status rows_stamp_decode(struct bytes value, struct row_stamp *ret_row);
MUST_CHECK struct status rows_last_decode(struct bytes value, uint64_t *ret_last);
