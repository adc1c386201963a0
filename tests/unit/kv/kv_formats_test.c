/*
 * The known answers of FORMATS 10, made by tests/support/known_answers.py: an epoch row opens to
 * its log key, a sealed record has exactly these bytes, and a segment file of such bytes is read.
 */

#include "lib/kv/kv_epoch.h"
#include "lib/kv/kv_log.h"
#include "lib/kv/segment_log.h"
#include "tests/support/vector.h"
#include "tests/unit/kv/kv_support.h"

#include <fcntl.h>
#include <unistd.h>

enum { FENCE = 5, SEQ = 7, SEGMENT_SIZE = 65536, FIRST_AT = 64 };

static const char EPOCH_ROW[] = "00000005"
                                "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
                                "00000001"
                                "2cc8938efec5e5c5a2a2390f78e7861fee5de9ec67e5eb72cc1a6cc1f5702b9b";
static const char LOG_KEY[] = "af87f6a73d8964cc4313d191faf43d39f7c1dafcc5656506e191c309a8d1b90f";
static const char RECORD[] = "0000000500000000000000070000001ea4a43f8270384bdf2b05409ced5256f27b39"
                             "64212d874d2af29ac8ce65c20e4dff4d4525f26a1da70b4b078e6207";
static const char SEGMENT_HEADER[] =
    "54534731000000000000000000000001606162636465666700000000000100000000000000000001"
    "00000000000000000000000000000000000000003c6e57ec";
static const char SEGMENT_RECORD[] = "54535231333333333333333333333333333333330000003e00000001"
                                     "000000000000000100000000000000001c18e6ac463def45";

static struct id16 id_of(uint8_t byte)
{
    struct id16 id;
    memset(id.bytes, byte, sizeof(id.bytes));
    return id;
}

/* Seal the record of the known answer under key. */
static void seal(struct aead *key, struct buffer *record)
{
    struct id16 db = id_of(0x11);
    struct kv_log_link link = {.seq = SEQ - 1};
    memset(link.tag, 0x22, sizeof(link.tag));
    kv_log_begin(record);
    kv_log_add(record, &(struct kv_log_row){KV_LOG_PUT, bytes_text("key"), bytes_text("value")});
    kv_log_add(record, &(struct kv_log_row){KV_LOG_DELETE, bytes_text("gone"), bytes_of(NULL, 0)});
    assert_ok(kv_log_seal(key, &db, FENCE, SEQ, 2, record, &link));
    assert_int_equal(link.seq, SEQ);
}

static void a_sealed_record_has_the_known_bytes(void **state)
{
    (void)state;
    OWNED(aead) struct aead *key = NULL;
    VECTOR(key_bytes, LOG_KEY);
    OWNED(secret) struct secret *log_key = vector_secret(key_bytes);
    BUFFER(record, 4096);
    assert_ok(aead_new(log_key, &key));
    seal(key, &record);
    vector_check(buffer_bytes(&record), RECORD);
}

static void the_known_epoch_row_gives_the_key_of_the_record(void **state)
{
    (void)state;
    struct id16 db = id_of(0x11);
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(aead) struct aead *key = NULL;
    struct kv_dek deks[] = {{.version = 1, .key = dek}};
    VECTOR(row, EPOCH_ROW);
    BUFFER(record, 4096);
    assert_ok(kv_epoch_open(&db, FENCE, deks, 1, row, &key));
    seal(key, &record);
    vector_check(buffer_bytes(&record), RECORD);
    row_room[row.size - 1] ^= 1;
    OWNED(aead) struct aead *other = NULL;
    assert_status(kv_epoch_open(&db, FENCE, deks, 1, row, &other), STATUS_CORRUPT);
}

/* A segment of the known header twice and the known record at its beginning. */
static void write_segment(int dir_fd)
{
    static uint8_t file[SEGMENT_SIZE];
    VECTOR(header, SEGMENT_HEADER);
    VECTOR(record, SEGMENT_RECORD);
    VECTOR(payload, RECORD);
    memset(file, 0, sizeof(file));
    memcpy(file, header.data, header.size);
    memcpy(file + SEGMENT_SIZE - header.size, header.data, header.size);
    memcpy(file + FIRST_AT, record.data, record.size);
    memcpy(file + FIRST_AT + record.size, payload.data, payload.size);
    OWNED(fd) int fd = openat(dir_fd, "0000000000000001.seg", O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, file, sizeof(file)), sizeof(file));
}

static struct status found(void *context, const struct segment_record *record, struct bytes payload)
{
    uint64_t *count = context;
    (*count)++;
    assert_int_equal(record->id[0], 0x33);
    assert_int_equal(record->flags, 1);
    assert_int_equal(record->lsn, 1);
    assert_int_equal(record->offset, FIRST_AT);
    vector_check(payload, RECORD);
    return OK;
}

static void a_segment_of_the_known_bytes_is_read(void **state)
{
    (void)state;
    char path[KV_SUPPORT_PATH];
    int dir_fd = kv_support_dir_new(path);
    struct segment_log_options options = {.segment_size = SEGMENT_SIZE};
    struct segment_log *log = NULL;
    uint64_t damaged = 0;
    uint64_t count = 0;
    write_segment(dir_fd);
    assert_ok(segment_log_open(dir_fd, &options, 0, 0, found, &count, &damaged, &log));
    assert_int_equal(count, 1);
    assert_int_equal(damaged, 0);
    assert_int_equal(segment_log_last(log), 1);
    segment_log_free(log);
    kv_support_dir_free(dir_fd, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_record_has_the_known_bytes),
        cmocka_unit_test(the_known_epoch_row_gives_the_key_of_the_record),
        cmocka_unit_test(a_segment_of_the_known_bytes_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
