/* A page is FORMATS 5 to the byte; one changed byte and it is refused. */

#include "lib/format/manifest_page.h"

#include "lib/crypto/digest.h"
#include "tests/support/vector.h"

enum { FRAGMENTS = 3, PAGE_SIZE = 60 + 2 * (100 + 16 * FRAGMENTS) + 32 };

static void fill(uint8_t *to, uint8_t first, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(first + i);
    }
}

static struct manifest_head make_head(void)
{
    struct manifest_head head = {
        .content = content_of(((uint64_t)5 << 24) | 6, 7),
        .part = 3,
        .page = 1,
        .first_off = 1 << 30,
        .ik_ver = 2,
        .tag_alg = MANIFEST_TAG_ALG_GMAC,
        .k = 2,
        .m = 1,
    };
    memset(head.data.bytes, 0x33, ID16_SIZE);
    return head;
}

static void add_row(struct buffer *page, const struct manifest_head *head, uint8_t n)
{
    uint8_t tags[FRAGMENTS * FRAGMENT_TAG_SIZE];
    struct manifest_row row = {
        .chunk = chunk_id_of(&head->content, 9U + n),
        .suite = CHUNK_SUITE,
        .shape = {.plain_len = 5000U + n, .padded_len = 5000U + n, .block_len = 4096},
        .tags = tags,
    };
    fill(row.commit, n, sizeof(row.commit));
    fill(row.wrapped_dek, (uint8_t)(n + 1), sizeof(row.wrapped_dek));
    fill(tags, (uint8_t)(n + 2), sizeof(tags));
    manifest_page_add(page, &row, FRAGMENTS);
}

static void make_page(struct buffer *page, const struct secret *object_key)
{
    struct manifest_head head = make_head();
    manifest_page_begin(page, &head);
    add_row(page, &head, 0);
    add_row(page, &head, 1);
    assert_ok(manifest_page_seal(page, 2, object_key));
}

/* Answer of tests/support/known_answers.py. */
static void known_answer_of_a_page(void **state)
{
    (void)state;
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    BUFFER(page, MANIFEST_PAGE_MAX);
    uint8_t digest[DIGEST_SHA256_SIZE];
    make_page(&page, key);
    struct bytes whole = buffer_bytes(&page);
    assert_int_equal(whole.size, PAGE_SIZE);
    assert_ok(digest_sha256(&whole, 1, digest));
    vector_check(
        BYTES_ARRAY(digest), "4f6a0f8555dfeca157657cb552cc7b473274e8f4438fecd9c7570cad512caa1a");
    assert_ok(manifest_page_verify(whole, key));
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    BUFFER(page, MANIFEST_PAGE_MAX);
    struct manifest_head head;
    struct manifest_row row;
    uint64_t length = 0;
    make_page(&page, key);
    assert_ok(manifest_page_head(buffer_bytes(&page), &head));
    assert_int_equal(head.rows, 2);
    assert_int_equal(head.part, 3);
    assert_int_equal(head.page, 1);
    assert_int_equal(head.first_off, 1 << 30);
    assert_int_equal(head.ik_ver, 2);
    assert_int_equal(head.k, 2);
    assert_int_equal(head.m, 1);
    assert_int_equal(head.data.bytes[15], 0x33);
    assert_ok(manifest_page_row(buffer_bytes(&page), &head, 1, &row));
    assert_int_equal(row.shape.plain_len, 5001);
    assert_int_equal(row.commit[0], 1);
    assert_int_equal(row.wrapped_dek[39], 41);
    assert_int_equal(row.tags[47], 50);
    assert_int_equal(row.chunk.bytes[13], 10);
    assert_status(manifest_page_row(buffer_bytes(&page), &head, 2, &row), STATUS_INVALID);
    assert_ok(manifest_page_length(buffer_bytes(&page), &length));
    assert_int_equal(length, 10001);
}

static void any_changed_byte_and_other_keys_are_refused(void **state)
{
    (void)state;
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    OWNED(secret) struct secret *other = vector_key(0x21, 32);
    BUFFER(page, MANIFEST_PAGE_MAX);
    make_page(&page, key);
    for (size_t i = 0; i < page.size * 8; i++) {
        page.data[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(manifest_page_verify(buffer_bytes(&page), key), STATUS_CORRUPT);
        page.data[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    assert_status(manifest_page_verify(buffer_bytes(&page), other), STATUS_CORRUPT);
    for (size_t size = 0; size < page.size; size++) {
        assert_status(manifest_page_verify(bytes_of(page.data, size), key), STATUS_CORRUPT);
    }
    buffer_add_u8(&page, 0);
    assert_status(manifest_page_verify(buffer_bytes(&page), key), STATUS_CORRUPT);
}

/* Who has no key still reads no nonsense: every field of the head that has a rule. */
static void head_and_rows_are_checked_without_the_key(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{0, 'X'}, {4, 1},  {5, 2},  {6, 1},   {7, 0},   {7, 1},  {34, 1}, {35, 1},
               {54, 2},  {54, 0}, {55, 0}, {55, 24}, {56, 23}, {57, 1}, {58, 1}, {59, 1}};
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    BUFFER(page, MANIFEST_PAGE_MAX);
    struct manifest_head head;
    make_page(&page, key);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t was = page.data[bad[i].at];
        page.data[bad[i].at] = bad[i].value;
        assert_status(manifest_page_head(buffer_bytes(&page), &head), STATUS_CORRUPT);
        page.data[bad[i].at] = was;
    }
    static const size_t rows_bad[] = {60 + 14, 60 + 15, 60 + 16, 60 + 20, 60 + 27};
    for (size_t i = 0; i < sizeof(rows_bad) / sizeof(rows_bad[0]); i++) {
        struct manifest_row row;
        page.data[rows_bad[i]] ^= 0x81;
        assert_ok(manifest_page_head(buffer_bytes(&page), &head));
        assert_status(manifest_page_row(buffer_bytes(&page), &head, 0, &row), STATUS_CORRUPT);
        page.data[rows_bad[i]] ^= 0x81;
    }
}

static void the_largest_page_fits_its_bound(void **state)
{
    (void)state;
    static uint8_t tags[24 * FRAGMENT_TAG_SIZE];
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    BUFFER(page, MANIFEST_PAGE_MAX);
    struct manifest_head head = make_head();
    head.k = 20;
    head.m = 4;
    manifest_page_begin(&page, &head);
    for (uint32_t i = 0; i < MANIFEST_ROWS_MAX; i++) {
        struct manifest_row row = {
            .suite = CHUNK_SUITE,
            .shape = chunk_shape_choose(CHUNK_PLAIN_MAX, 20),
            .tags = tags,
        };
        manifest_page_add(&page, &row, 24);
    }
    assert_ok(manifest_page_seal(&page, MANIFEST_ROWS_MAX, key));
    uint64_t length = 0;
    assert_ok(manifest_page_length(buffer_bytes(&page), &length));
    assert_int_equal(length, (uint64_t)MANIFEST_ROWS_MAX * CHUNK_PLAIN_MAX);
}

static void a_page_without_room_fails_at_the_seal(void **state)
{
    (void)state;
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    BUFFER(page, 300);
    struct manifest_head head = make_head();
    manifest_page_begin(&page, &head);
    add_row(&page, &head, 0);
    add_row(&page, &head, 1);
    assert_status(manifest_page_seal(&page, 2, key), STATUS_TOO_LARGE);
}

static void kek_of_deks_is_derived_from_data(void **state)
{
    (void)state;
    struct id16 data;
    OWNED(secret) struct secret *key = vector_key(0x20, 32);
    OWNED(secret) struct secret *a = NULL;
    OWNED(secret) struct secret *b = NULL;
    memset(data.bytes, 0x33, ID16_SIZE);
    assert_ok(dek_kek(key, &data, &a));
    data.bytes[0] ^= 1;
    assert_ok(dek_kek(key, &data, &b));
    assert_false(secret_equal(secret_bytes(a), secret_bytes(b)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_of_a_page),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(any_changed_byte_and_other_keys_are_refused),
        cmocka_unit_test(head_and_rows_are_checked_without_the_key),
        cmocka_unit_test(the_largest_page_fits_its_bound),
        cmocka_unit_test(a_page_without_room_fails_at_the_seal),
        cmocka_unit_test(kek_of_deks_is_derived_from_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
