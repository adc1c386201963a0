/* Digests and checksums are those of the standards, whole or in parts, on any thread. */

#include "lib/crypto/digest.h"

#include "lib/base/task.h"
#include "tests/support/vector.h"

static const char text_check[] = "123456789";

static void sha256_of_abc_in_parts(void **state)
{
    (void)state;
    uint8_t got[DIGEST_SHA256_SIZE];
    struct bytes parts[] = {bytes_text("a"), bytes_text(""), bytes_text("bc")};
    assert_ok(digest_sha256(parts, 3, got));
    vector_check(
        BYTES_ARRAY(got), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ok(digest_sha256(NULL, 0, got));
    vector_check(
        BYTES_ARRAY(got), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void check_hmac(struct bytes key, const char *text, const char *want)
{
    uint8_t got[DIGEST_SHA256_SIZE];
    struct bytes message = bytes_text(text);
    struct bytes halves[] = {
        bytes_of(message.data, message.size / 2), bytes_from(message, message.size / 2)};
    assert_ok(digest_hmac(key, &message, 1, got));
    vector_check(BYTES_ARRAY(got), want);
    assert_ok(digest_hmac(key, halves, 2, got));
    vector_check(BYTES_ARRAY(got), want);
}

/* RFC 4231, cases 1, 2 and 6. */
static void hmac_of_rfc4231(void **state)
{
    (void)state;
    uint8_t first[20];
    uint8_t long_key[131];
    memset(first, 0x0b, sizeof(first));
    memset(long_key, 0xaa, sizeof(long_key));
    check_hmac(
        BYTES_ARRAY(first), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(
        bytes_text("Jefe"), "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac(
        BYTES_ARRAY(long_key), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_without_a_key_is_not_that_of_the_last_key(void **state)
{
    (void)state;
    check_hmac(
        bytes_text("Jefe"), "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac(
        bytes_of(NULL, 0), "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void stream_can_be_used_again(void **state)
{
    (void)state;
    OWNED(digest) struct digest *digest = NULL;
    uint8_t got[DIGEST_MD5_SIZE];
    assert_ok(digest_new(DIGEST_MD5, &digest));
    assert_ok(digest_end(digest, got));
    vector_check(BYTES_ARRAY(got), "d41d8cd98f00b204e9800998ecf8427e");
    for (int i = 0; i < 2; i++) {
        assert_ok(digest_add(digest, bytes_text("ab")));
        assert_ok(digest_add(digest, bytes_text("c")));
        assert_ok(digest_end(digest, got));
        vector_check(BYTES_ARRAY(got), "900150983cd24fb0d6963f7d28e17f72");
    }
}

static void stream_of_sha256(void **state)
{
    (void)state;
    OWNED(digest) struct digest *digest = NULL;
    uint8_t got[DIGEST_SHA256_SIZE];
    assert_ok(digest_new(DIGEST_SHA256, &digest));
    assert_ok(digest_add(digest, bytes_text("abc")));
    assert_ok(digest_end(digest, got));
    vector_check(
        BYTES_ARRAY(got), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void checksums_are_those_of_zlib_and_castagnoli(void **state)
{
    (void)state;
    struct bytes whole = bytes_text(text_check);
    assert_int_equal(digest_crc32(0, whole), 0xcbf43926);
    assert_int_equal(digest_crc32c(0, whole), 0xe3069283);
    for (size_t cut = 0; cut <= whole.size; cut++) {
        struct bytes head = bytes_of(whole.data, cut);
        struct bytes tail = bytes_from(whole, cut);
        assert_int_equal(digest_crc32(digest_crc32(0, head), tail), 0xcbf43926);
        assert_int_equal(digest_crc32c(digest_crc32c(0, head), tail), 0xe3069283);
    }
    assert_int_equal(digest_crc32(0, bytes_of(NULL, 0)), 0);
    assert_int_equal(digest_crc32c(0, bytes_of(NULL, 0)), 0);
}

/* Bit by bit, to hold the fast code to at every length around its vector sizes. */
static uint32_t slow_crc(uint32_t polynomial, const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
        }
    }
    return ~crc;
}

static void checksums_of_every_length(void **state)
{
    (void)state;
    uint8_t data[1100];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 167 + 13);
    }
    for (size_t size = 0; size < sizeof(data); size += size < 300 ? 1 : 37) {
        struct bytes bytes = bytes_of(data, size);
        assert_int_equal(digest_crc32(0, bytes), slow_crc(0xedb88320, data, size));
        assert_int_equal(digest_crc32c(0, bytes), slow_crc(0x82f63b78, data, size));
    }
}

static void hash_in_thread(void *context)
{
    struct bytes abc = bytes_text("abc");
    IGNORE(digest_sha256(&abc, 1, context)); /* A failure shows in the digest. */
}

static void threads_do_not_share_contexts(void **state)
{
    (void)state;
    struct task tasks[4] = {0};
    uint8_t got[4][DIGEST_SHA256_SIZE];
    for (size_t i = 0; i < 4; i++) {
        assert_ok(task_start(&tasks[i], "hash", hash_in_thread, got[i]));
    }
    for (size_t i = 0; i < 4; i++) {
        task_join(&tasks[i]);
        vector_check(
            BYTES_ARRAY(got[i]),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_abc_in_parts),
        cmocka_unit_test(hmac_of_rfc4231),
        cmocka_unit_test(hmac_without_a_key_is_not_that_of_the_last_key),
        cmocka_unit_test(stream_can_be_used_again),
        cmocka_unit_test(stream_of_sha256),
        cmocka_unit_test(checksums_are_those_of_zlib_and_castagnoli),
        cmocka_unit_test(checksums_of_every_length),
        cmocka_unit_test(threads_do_not_share_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
