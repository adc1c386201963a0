/* Ids are FORMATS 1 and 4, and a fragment id tells nothing but to who has the account's key. */

#include "lib/format/ids.h"

#include "tests/support/vector.h"

static struct chunk_id make_chunk(void)
{
    /* Lease: fence 5, counter 6. */
    struct content content = content_of(((uint64_t)5 << 24) | 6, 7);
    return chunk_id_of(&content, 9);
}

static void chunk_id_is_lease_upload_and_number(void **state)
{
    (void)state;
    struct content content = content_of(((uint64_t)5 << 24) | 6, 7);
    struct chunk_id chunk = make_chunk();
    vector_check(BYTES_ARRAY(chunk.bytes), "0000050000060000000700000009");
    assert_int_equal(content_lease(&content), ((uint64_t)5 << 24) | 6);
}

static void known_answers_of_formats_4(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    struct chunk_id chunk = make_chunk();
    OWNED(secret) struct secret *key = vector_key(0, 32);
    uint8_t id[FRAGMENT_ID_SIZE];
    uint8_t tag[FRAGMENT_TAG_SIZE];
    struct bytes halves[] = {bytes_of(zeros, 30), bytes_of(zeros, 34)};
    assert_ok(fragment_id(key, &chunk, 0, id));
    vector_check(BYTES_ARRAY(id), "4ddd5cae3117c982cf7f9e8c9172283c");
    assert_ok(fragment_tag(key, &chunk, 2, halves, 2, tag));
    vector_check(BYTES_ARRAY(tag), "164fb6cecb14bca0905692ca24fa1a26");
}

static void fragment_id_leads_back_under_its_key_only(void **state)
{
    (void)state;
    struct chunk_id chunk = make_chunk();
    struct chunk_id back;
    uint8_t copy = 0;
    uint8_t id[FRAGMENT_ID_SIZE];
    OWNED(secret) struct secret *key = vector_key(0, 32);
    OWNED(secret) struct secret *other = vector_key(1, 32);
    assert_ok(fragment_id(key, &chunk, 200, id));
    assert_ok(fragment_id_decode(key, id, &back, &copy));
    assert_memory_equal(back.bytes, chunk.bytes, CHUNK_ID_SIZE);
    assert_int_equal(copy, 200);
    assert_status(fragment_id_decode(other, id, &back, &copy), STATUS_CORRUPT);
}

static void tag_is_of_index_chunk_and_every_byte(void **state)
{
    (void)state;
    struct chunk_id chunk = make_chunk();
    uint8_t data[100] = {0};
    uint8_t tag[FRAGMENT_TAG_SIZE];
    uint8_t other[FRAGMENT_TAG_SIZE];
    struct bytes whole = BYTES_ARRAY(data);
    OWNED(secret) struct secret *key = vector_key(0, 32);
    OWNED(aead) struct aead *tagger = NULL;
    assert_ok(fragment_tagger_new(key, &chunk, &tagger));
    assert_ok(fragment_tagger_tag(tagger, 0, &whole, 1, tag));
    assert_ok(fragment_tagger_tag(tagger, 1, &whole, 1, other));
    assert_memory_not_equal(tag, other, sizeof(tag));
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = 1;
        assert_ok(fragment_tagger_tag(tagger, 0, &whole, 1, other));
        assert_memory_not_equal(tag, other, sizeof(tag));
        data[i] = 0;
    }
    chunk.bytes[13] ^= 1;
    assert_ok(fragment_tag(key, &chunk, 0, &whole, 1, other));
    assert_memory_not_equal(tag, other, sizeof(tag));
}

static void name_hash_of_formats_5(void **state)
{
    (void)state;
    struct id16 bucket;
    uint8_t hash[32];
    memset(bucket.bytes, 0x22, sizeof(bucket.bytes));
    assert_ok(object_name_hash(&bucket, bytes_text("photos/cat.jpg"), hash));
    vector_check(
        BYTES_ARRAY(hash), "eabd4a8d91dc587eded0713ca24474d9f718fa9d755f14a38f8dbf6eecf70acc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunk_id_is_lease_upload_and_number),
        cmocka_unit_test(known_answers_of_formats_4),
        cmocka_unit_test(fragment_id_leads_back_under_its_key_only),
        cmocka_unit_test(tag_is_of_index_chunk_and_every_byte),
        cmocka_unit_test(name_hash_of_formats_5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
