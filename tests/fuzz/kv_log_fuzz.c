/* Rows of a log record: whatever decodes, encodes to the same bytes; a sealed record never forges.
 */

#include "lib/kv/kv_log.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rows(struct bytes plaintext)
{
    struct kv_log_reader reader;
    BUFFER(again, KV_LOG_RECORD_MAX);
    kv_log_begin(&again);
    if (!status_ok(kv_log_rows(plaintext, &reader))) {
        return;
    }
    for (;;) {
        struct kv_log_row row;
        bool is_end;
        if (!status_ok(kv_log_next(&reader, &row, &is_end))) {
            return;
        }
        if (is_end) {
            break;
        }
        CHECK(row.key.size > 0 && row.key.size <= KV_KEY_MAX && row.value.size <= KV_VALUE_MAX);
        kv_log_add(&again, &row);
    }
    CHECK(status_ok(buffer_status(&again)));
    struct bytes rows = bytes_from(buffer_bytes(&again), KV_LOG_HEAD + 4);
    CHECK(bytes_equal(rows, bytes_from(plaintext, 4)));
}

static void check_sealed(struct bytes sealed)
{
    OWNED(secret) struct secret *key = NULL;
    OWNED(aead) struct aead *aead = NULL;
    uint8_t bytes[SECRET_KEY_SIZE] = {7};
    struct id16 db = {{1}};
    struct kv_log_link link = {0};
    struct bytes plaintext;
    BUFFER(record, KV_LOG_RECORD_MAX);
    buffer_add(&record, sealed);
    CHECK(status_ok(secret_new_copy(BYTES_ARRAY(bytes), &key)));
    CHECK(status_ok(aead_new(key, &aead)));
    CHECK(kv_log_open(aead, &db, &record, &link, &plaintext).code == STATUS_CORRUPT);
    CHECK(link.seq == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_rows(bytes_of(data, size));
    check_sealed(bytes_of(data, size));
    return 0;
}
