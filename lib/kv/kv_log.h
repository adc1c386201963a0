#pragma once

/*
 * A sealed log record, FORMATS 8: what one group of plans put and deleted, chained to the record
 * before. The format is drawn in kv_log.c.
 */

#include "lib/crypto/aead.h"
#include "lib/kv/kv.h"

enum {
    KV_LOG_HEAD = 16,
    KV_LOG_TAG = AEAD_TAG_SIZE,
    /* A group ends once it has KV_PLAN_BYTES_MAX, and each plan adds that much at the most. */
    KV_LOG_RECORD_MAX = 2 * KV_PLAN_BYTES_MAX + 2 * KV_PLAN_ROWS_MAX * 8 + 4096,
};

enum kv_log_op { KV_LOG_PUT = 1, KV_LOG_DELETE = 2 };

struct kv_log_row {
    enum kv_log_op op;
    struct bytes key;
    struct bytes value;
};

/* Where a chain stands: the state before the first record is all zero. */
struct kv_log_link {
    uint64_t seq;
    uint8_t tag[KV_LOG_TAG];
};

/* Start a record in an empty buffer, add rows. Failure is the buffer's. */
void kv_log_begin(struct buffer *record);
void kv_log_add(struct buffer *record, const struct kv_log_row *row);

/* Fill in the head, encrypt in place and add the tag; link moves on. seq is above link->seq. */
MUST_CHECK struct status kv_log_seal(
    struct aead *key, const struct id16 *db, uint32_t fence, uint64_t seq, uint32_t rows,
    struct buffer *record, struct kv_log_link *link);

/* The fence of a sealed record, to find its key; CORRUPT if it is too short. */
MUST_CHECK struct status kv_log_fence(struct bytes record, uint32_t *ret_fence);

/* Check and decrypt in place; ret_plaintext is for kv_log_rows. CORRUPT unless it continues link.
 */
MUST_CHECK struct status kv_log_open(
    struct aead *key, const struct id16 *db, struct buffer *record, struct kv_log_link *link,
    struct bytes *ret_plaintext);

/* Walk a plaintext: call kv_log_rows once, then kv_log_next until it says end. */
struct kv_log_reader {
    struct bytes rest;
    uint32_t left;
};
MUST_CHECK struct status kv_log_rows(struct bytes plaintext, struct kv_log_reader *ret_reader);
MUST_CHECK struct status
kv_log_next(struct kv_log_reader *reader, struct kv_log_row *ret_row, bool *ret_is_end);
