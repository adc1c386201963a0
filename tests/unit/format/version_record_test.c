/* Version records, key references and segments are FORMATS 5; one changed bit is refused. */

#include "lib/format/version_record.h"

#include "lib/crypto/digest.h"
#include "tests/support/vector.h"

static void fill(uint8_t *to, uint8_t first, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(first + i);
    }
}

static struct id16 make_id(uint8_t value)
{
    struct id16 id;
    memset(id.bytes, value, sizeof(id.bytes));
    return id;
}

static struct version_record make_record(void)
{
    struct version_record record = {
        .flags = VERSION_SSE_C,
        .tenant = make_id(0x11),
        .bucket = make_id(0x22),
        .version = make_id(0x44),
        .data = make_id(0x33),
        .content = content_of(((uint64_t)5 << 24) | 6, 7),
        .created_ms = 1700000000123,
        .size = 10000,
        .chunks = 1,
    };
    assert_ok(object_name_hash(&record.bucket, bytes_text("photos/cat.jpg"), record.name_hash));
    fill(record.attr_sha256, 0x80, 32);
    fill(record.etag, 0xa0, 16);
    return record;
}

/* Answers of tests/support/known_answers.py. */
static void known_answers_of_record_and_mac(void **state)
{
    (void)state;
    struct version_record record = make_record();
    uint8_t encoded[VERSION_RECORD_SIZE];
    uint8_t digest[DIGEST_SHA256_SIZE];
    uint8_t mac[VERSION_MAC_SIZE];
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    version_record_encode(&record, encoded);
    struct bytes whole = BYTES_ARRAY(encoded);
    assert_ok(digest_sha256(&whole, 1, digest));
    vector_check(
        BYTES_ARRAY(digest), "fc1e592348589f533c38e2a7350283abbff6a7f683df33e8a36b670eafd75492");
    assert_ok(version_record_mac(key, &record.data, whole, mac));
    vector_check(
        BYTES_ARRAY(mac), "e8a92182ef62bee5659fc99537a5455c381d1f21d0870ac125ae280f497ccde7");
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct version_record record = make_record();
    struct version_record back;
    uint8_t encoded[VERSION_RECORD_SIZE];
    uint8_t again[VERSION_RECORD_SIZE];
    record.etag_parts = 77;
    record.segments = 5;
    record.content = (struct content){{0}};
    version_record_encode(&record, encoded);
    assert_ok(version_record_decode(BYTES_ARRAY(encoded), &back));
    version_record_encode(&back, again);
    assert_memory_equal(encoded, again, sizeof(encoded));
    assert_int_equal(back.flags, VERSION_SSE_C);
    assert_int_equal(back.created_ms, 1700000000123);
    assert_int_equal(back.size, 10000);
    assert_int_equal(back.segments, 5);
    assert_int_equal(back.chunks, 1);
    assert_int_equal(back.etag_parts, 77);
    assert_int_equal(back.attr_sha256[31], 0x9f);
}

static void any_flipped_bit_fails_the_mac(void **state)
{
    (void)state;
    struct version_record record = make_record();
    uint8_t encoded[VERSION_RECORD_SIZE];
    uint8_t mac[VERSION_MAC_SIZE];
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    OWNED(secret) struct secret *other = vector_key(0x21, 32);
    version_record_encode(&record, encoded);
    struct bytes whole = BYTES_ARRAY(encoded);
    assert_ok(version_record_mac(key, &record.data, whole, mac));
    assert_ok(version_record_verify(key, &record.data, whole, BYTES_ARRAY(mac)));
    for (size_t i = 0; i < 8 * sizeof(encoded); i++) {
        encoded[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(
            version_record_verify(key, &record.data, whole, BYTES_ARRAY(mac)), STATUS_CORRUPT);
        encoded[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t i = 0; i < 8 * sizeof(mac); i++) {
        mac[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(
            version_record_verify(key, &record.data, whole, BYTES_ARRAY(mac)), STATUS_CORRUPT);
        mac[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    assert_status(
        version_record_verify(key, &record.data, whole, bytes_of(mac, 31)), STATUS_CORRUPT);
    assert_status(
        version_record_verify(other, &record.data, whole, BYTES_ARRAY(mac)), STATUS_CORRUPT);
    assert_status(
        version_record_verify(key, &record.bucket, whole, BYTES_ARRAY(mac)), STATUS_CORRUPT);
}

static void check_refused(struct version_record record)
{
    uint8_t encoded[VERSION_RECORD_SIZE];
    struct version_record back;
    version_record_encode(&record, encoded);
    assert_status(version_record_decode(BYTES_ARRAY(encoded), &back), STATUS_CORRUPT);
}

static void records_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    uint8_t encoded[VERSION_RECORD_SIZE + 1] = {0};
    struct version_record back;
    struct version_record record = make_record();
    version_record_encode(&record, encoded);
    for (size_t size = 0; size <= sizeof(encoded); size++) {
        if (size != VERSION_RECORD_SIZE) {
            assert_status(version_record_decode(bytes_of(encoded, size), &back), STATUS_CORRUPT);
        }
    }
    static const size_t fixed[] = {0, 3, 4, 5, 6, 114, 115, 119};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        encoded[fixed[i]] ^= 0x10;
        assert_status(
            version_record_decode(bytes_of(encoded, VERSION_RECORD_SIZE), &back), STATUS_CORRUPT);
        encoded[fixed[i]] ^= 0x10;
    }
    record.flags = 16;
    check_refused(record);
    record.flags = 0;
    record.segments = 1; /* And a content. */
    check_refused(record);
}

static void an_open_upload_is_empty_and_multipart(void **state)
{
    (void)state;
    struct version_record open = make_record();
    struct version_record back;
    uint8_t encoded[VERSION_RECORD_SIZE];
    open.flags = VERSION_OPEN_UPLOAD | VERSION_MULTIPART;
    open.content = (struct content){{0}};
    open.size = 0;
    open.chunks = 0;
    version_record_encode(&open, encoded);
    assert_ok(version_record_decode(BYTES_ARRAY(encoded), &back));
    struct version_record changed = open;
    changed.flags = VERSION_OPEN_UPLOAD;
    check_refused(changed);
    changed = open;
    changed.size = 1;
    check_refused(changed);
    changed = open;
    changed.chunks = 1;
    check_refused(changed);
    changed = open;
    changed.segments = 1;
    check_refused(changed);
    changed = open;
    changed.content.bytes[9] = 1;
    check_refused(changed);
}

static void key_reference_is_exact(void **state)
{
    (void)state;
    uint8_t wrapped[40];
    fill(wrapped, 0, sizeof(wrapped));
    struct key_ref ref = {.kind = 1, .alg = 1, .bk_ver = 7, .wrapped = BYTES_ARRAY(wrapped)};
    struct key_ref back;
    BUFFER(encoded, 128);
    key_ref_encode(&encoded, &ref);
    assert_int_equal(encoded.size, 48);
    vector_check(bytes_of(encoded.data, 10), "01010028000000070001");
    assert_ok(key_ref_decode(buffer_bytes(&encoded), &back));
    assert_int_equal(back.bk_ver, 7);
    assert_true(bytes_equal(back.wrapped, ref.wrapped));
    for (size_t size = 0; size < encoded.size; size++) {
        assert_status(key_ref_decode(bytes_of(encoded.data, size), &back), STATUS_CORRUPT);
    }
    for (size_t i = 0; i < 4; i++) {
        encoded.data[i] ^= 4;
        assert_status(key_ref_decode(buffer_bytes(&encoded), &back), STATUS_CORRUPT);
        encoded.data[i] ^= 4;
    }
    buffer_add_u8(&encoded, 0);
    assert_status(key_ref_decode(buffer_bytes(&encoded), &back), STATUS_CORRUPT);
}

static struct segment_entry make_segment(void)
{
    struct segment_entry segment = {
        .data = make_id(0x33),
        .content = content_of(((uint64_t)5 << 24) | 6, 7),
        .part = 1,
        .first_index = 2,
        .chunks = 3,
        .skip = 4,
        .len = 5,
    };
    fill(segment.link, 1, sizeof(segment.link));
    return segment;
}

static void segment_page_is_known_and_exact(void **state)
{
    (void)state;
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    struct id16 version = make_id(0x44);
    struct segment_entry segment = make_segment();
    struct segment_entry back;
    struct bytes entries;
    BUFFER(page, SEGMENT_PAGE_MAX);
    segment_entry_encode(&page, &segment);
    assert_int_equal(page.size, SEGMENT_SIZE);
    assert_ok(segment_page_seal(key, &version, 6, &page));
    vector_check(
        bytes_of(page.data + SEGMENT_SIZE, VERSION_MAC_SIZE),
        "660e0712ed217db8b28db42570269e7fdcf574de0d120d84eb8f78d1e3bcbf7c");
    assert_ok(segment_page_verify(key, &version, 6, buffer_bytes(&page), &entries));
    assert_int_equal(entries.size, SEGMENT_SIZE);
    assert_ok(segment_entry_decode(entries, &back));
    assert_int_equal(back.part, 1);
    assert_int_equal(back.first_index, 2);
    assert_int_equal(back.chunks, 3);
    assert_int_equal(back.skip, 4);
    assert_int_equal(back.len, 5);
    assert_int_equal(back.link[39], 40);
    assert_status(
        segment_page_verify(key, &version, 7, buffer_bytes(&page), &entries), STATUS_CORRUPT);
    for (size_t i = 0; i < 8 * page.size; i++) {
        page.data[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(
            segment_page_verify(key, &version, 6, buffer_bytes(&page), &entries), STATUS_CORRUPT);
        page.data[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t size = 0; size < page.size; size++) {
        assert_status(
            segment_page_verify(key, &version, 6, bytes_of(page.data, size), &entries),
            STATUS_CORRUPT);
    }
    page.data[26] = 1;
    assert_status(segment_entry_decode(bytes_of(page.data, SEGMENT_SIZE), &back), STATUS_CORRUPT);
    assert_status(segment_entry_decode(bytes_of(page.data, 95), &back), STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_of_record_and_mac),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(any_flipped_bit_fails_the_mac),
        cmocka_unit_test(records_that_contradict_themselves_are_refused),
        cmocka_unit_test(an_open_upload_is_empty_and_multipart),
        cmocka_unit_test(key_reference_is_exact),
        cmocka_unit_test(segment_page_is_known_and_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
