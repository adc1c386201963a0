#include "lib/kv/kv_log.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

/*
 *   record    = fence u32 | seq u64 | len u32 | ciphertext | tag16
 *   key, iv   = K_log of the fence, 0^4 | seq
 *   AAD       = db_uuid16 | fence u32 | seq u64 | tag16 of the record before, zeros for the first
 *   plaintext = count u32 | { op u8 (1 put, 2 delete), klen u16, vlen u32, key, value }
 *
 * len counts the ciphertext. seq is that of the last plan in the group, so that it rises from
 * record to record by the number of plans; a gap is no error. A key may occur more than once: the
 * last row counts.
 */

enum { ROW_HEAD = 7, AAD_SIZE = 44 };

void kv_log_begin(struct buffer *record)
{
    CHECK(record->size == 0);
    buffer_add_zeros(record, KV_LOG_HEAD + 4);
}

void kv_log_add(struct buffer *record, const struct kv_log_row *row)
{
    uint8_t *head = buffer_extend(record, ROW_HEAD);
    if (head == NULL) {
        return;
    }
    head[0] = (uint8_t)row->op;
    encode_u16(head + 1, (uint16_t)row->key.size);
    encode_u32(head + 3, (uint32_t)row->value.size);
    buffer_add(record, row->key);
    buffer_add(record, row->value);
}

static void make_iv(uint64_t seq, uint8_t iv[AEAD_IV_SIZE])
{
    memset(iv, 0, 4);
    encode_u64(iv + 4, seq);
}

static void make_aad(
    const struct id16 *db, uint32_t fence, uint64_t seq, const struct kv_log_link *link,
    uint8_t aad[AAD_SIZE])
{
    memcpy(aad, db->bytes, ID16_SIZE);
    encode_u32(aad + 16, fence);
    encode_u64(aad + 20, seq);
    memcpy(aad + 28, link->tag, KV_LOG_TAG);
}

struct status kv_log_seal(
    struct aead *key, const struct id16 *db, uint32_t fence, uint64_t seq, uint32_t rows,
    struct buffer *record, struct kv_log_link *link)
{
    TRY(buffer_status(record));
    CHECK(record->size >= KV_LOG_HEAD + 4 && seq > link->seq);
    size_t size = record->size - KV_LOG_HEAD;
    encode_u32(record->data, fence);
    encode_u64(record->data + 4, seq);
    encode_u32(record->data + 12, (uint32_t)size);
    encode_u32(record->data + KV_LOG_HEAD, rows);
    uint8_t iv[AEAD_IV_SIZE];
    uint8_t aad[AAD_SIZE];
    struct kv_log_link next = {.seq = seq};
    make_iv(seq, iv);
    make_aad(db, fence, seq, link, aad);
    TRY(aead_seal(key, iv, BYTES_ARRAY(aad), record->data + KV_LOG_HEAD, size, next.tag));
    buffer_add(record, BYTES_ARRAY(next.tag));
    TRY(buffer_status(record));
    *link = next;
    return OK;
}

struct status kv_log_fence(struct bytes record, uint32_t *ret_fence)
{
    if (record.size < KV_LOG_HEAD + 4 + KV_LOG_TAG) {
        return FAIL(CORRUPT, "log record is too short");
    }
    *ret_fence = decode_u32(record.data);
    return OK;
}

struct status kv_log_open(
    struct aead *key, const struct id16 *db, struct buffer *record, struct kv_log_link *link,
    struct bytes *ret_plaintext)
{
    uint32_t fence;
    TRY(kv_log_fence(buffer_bytes(record), &fence));
    size_t size = record->size - KV_LOG_HEAD - KV_LOG_TAG;
    struct kv_log_link next = {.seq = decode_u64(record->data + 4)};
    if (decode_u32(record->data + 12) != size || next.seq <= link->seq) {
        return FAIL(CORRUPT, "head of log record");
    }
    memcpy(next.tag, record->data + KV_LOG_HEAD + size, KV_LOG_TAG);
    uint8_t iv[AEAD_IV_SIZE];
    uint8_t aad[AAD_SIZE];
    make_iv(next.seq, iv);
    make_aad(db, fence, next.seq, link, aad);
    uint8_t *data = record->data + KV_LOG_HEAD;
    TRY(aead_open(key, iv, BYTES_ARRAY(aad), data, size, next.tag));
    *link = next;
    *ret_plaintext = bytes_of(data, size);
    return OK;
}

struct status kv_log_rows(struct bytes plaintext, struct kv_log_reader *ret_reader)
{
    if (plaintext.size < 4) {
        return FAIL(CORRUPT, "count of rows");
    }
    *ret_reader = (struct kv_log_reader){
        .rest = bytes_from(plaintext, 4),
        .left = decode_u32(plaintext.data),
    };
    return OK;
}

struct status
kv_log_next(struct kv_log_reader *reader, struct kv_log_row *ret_row, bool *ret_is_end)
{
    *ret_is_end = reader->left == 0;
    if (*ret_is_end) {
        return reader->rest.size == 0 ? OK : FAIL(CORRUPT, "bytes behind the rows");
    }
    struct reader fields = reader_of(reader->rest);
    uint8_t op = reader_u8(&fields);
    uint16_t key_size = reader_u16(&fields);
    uint32_t value_size = reader_u32(&fields);
    struct kv_log_row row = {.op = op == KV_LOG_PUT ? KV_LOG_PUT : KV_LOG_DELETE};
    row.key = reader_take(&fields, key_size);
    row.value = reader_take(&fields, value_size);
    if (reader_failed(&fields) || (op != KV_LOG_PUT && op != KV_LOG_DELETE) || key_size == 0 ||
        key_size > KV_KEY_MAX || value_size > KV_VALUE_MAX ||
        (op == KV_LOG_DELETE && value_size != 0)) {
        return FAIL(CORRUPT, "row of log record");
    }
    reader->rest = fields.rest;
    reader->left--;
    *ret_row = row;
    return OK;
}
