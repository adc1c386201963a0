/* Wrapping is that of the RFCs, and nothing changed or made under another key unwraps. */

#include "lib/crypto/key_wrap.h"

#include "lib/crypto/kdf.h"
#include "tests/support/vector.h"

static void known_answer_of_rfc3394(void **state)
{
    (void)state;
    VECTOR(data, "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
    OWNED(secret) struct secret *kek = vector_key(0, 32);
    OWNED(secret) struct secret *key = vector_secret(data);
    OWNED(secret) struct secret *back = NULL;
    uint8_t wrapped[KEY_WRAP_SIZE];
    assert_ok(key_wrap(kek, key, wrapped));
    vector_check(
        BYTES_ARRAY(wrapped),
        "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
    assert_ok(key_unwrap(kek, BYTES_ARRAY(wrapped), &back));
    assert_true(secret_equal(secret_bytes(back), data));
}

static void known_answer_of_formats_2(void **state)
{
    (void)state;
    OWNED(secret) struct secret *fk = vector_key(0x20, 32);
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(secret) struct secret *kek = NULL;
    uint8_t data[16];
    uint8_t wrapped[KEY_WRAP_SIZE];
    memset(data, 0x33, sizeof(data));
    assert_ok(kdf_derive1(fk, "triad/v1/dek", BYTES_ARRAY(data), &kek));
    assert_ok(key_wrap(kek, dek, wrapped));
    vector_check(
        BYTES_ARRAY(wrapped),
        "e859aa940b7019b68f95eeb99ea398f2121a5799b85f2d37e29621c10a393e2a4bdcfe7e3d6fe8f7");
}

static void any_flipped_bit_is_refused(void **state)
{
    (void)state;
    OWNED(secret) struct secret *kek = vector_key(0, 32);
    OWNED(secret) struct secret *key = vector_key(64, 32);
    uint8_t wrapped[KEY_WRAP_SIZE];
    assert_ok(key_wrap(kek, key, wrapped));
    for (size_t i = 0; i < 8 * sizeof(wrapped); i++) {
        struct secret *back = NULL;
        wrapped[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(key_unwrap(kek, BYTES_ARRAY(wrapped), &back), STATUS_CORRUPT);
        assert_null(back);
        wrapped[i / 8] ^= (uint8_t)(1U << i % 8);
    }
}

static void another_key_and_other_lengths_are_refused(void **state)
{
    (void)state;
    OWNED(secret) struct secret *kek = vector_key(0, 32);
    OWNED(secret) struct secret *other = vector_key(1, 32);
    struct secret *back = NULL;
    uint8_t wrapped[KEY_WRAP_SIZE + 8] = {0};
    assert_ok(key_wrap(kek, kek, wrapped));
    assert_status(key_unwrap(other, bytes_of(wrapped, KEY_WRAP_SIZE), &back), STATUS_CORRUPT);
    for (size_t size = 0; size <= sizeof(wrapped); size++) {
        if (size != KEY_WRAP_SIZE) {
            assert_status(key_unwrap(kek, bytes_of(wrapped, size), &back), STATUS_INVALID);
        }
    }
    assert_null(back);
}

/* Made with python3-cryptography's own key wrap, which gives RFC 5649's answer for its example. */
static const struct {
    size_t size;
    const char *wrapped;
} padded[] = {
    {7, "a7d96382b36a1207f9f1ab88e4a59456"},
    {8, "76be56734ca64548fcd657169c37227c"},
    {20, "e335aab1860eededb6c7a1779553a950a2f24e7bbf403666627c932487b2e4cc"},
    {48, "f99a5e4002e26014f96e229be699a89c6e5ff544bacda9aba15a5f626f0a1bc2"
         "e006984961172dc62ff0233767d726ab607ff75b0fd0209d"},
};

static void padded_wrap_of_known_lengths(void **state)
{
    (void)state;
    OWNED(secret) struct secret *kek = vector_key(0, 32);
    for (size_t i = 0; i < sizeof(padded) / sizeof(padded[0]); i++) {
        OWNED(secret) struct secret *key = vector_key(0, padded[i].size);
        OWNED(secret) struct secret *back = NULL;
        BUFFER(wrapped, 8192);
        for (size_t j = 0; j < padded[i].size; j++) {
            secret_data(key)[j] = (uint8_t)(j * 7 + 3);
        }
        assert_ok(key_wrap_padded(kek, key, &wrapped));
        vector_check(buffer_bytes(&wrapped), padded[i].wrapped);
        assert_ok(key_unwrap_padded(kek, buffer_bytes(&wrapped), &back));
        assert_true(secret_equal(secret_bytes(key), secret_bytes(back)));
        wrapped.data[wrapped.size - 1] ^= 1;
        struct secret *none = NULL;
        assert_status(key_unwrap_padded(kek, buffer_bytes(&wrapped), &none), STATUS_CORRUPT);
    }
}

static void padded_wrap_of_every_length(void **state)
{
    (void)state;
    OWNED(secret) struct secret *kek = vector_key(0, 32);
    for (size_t size = 1; size <= SECRET_SIZE_MAX; size += size < 70 ? 1 : 183) {
        OWNED(secret) struct secret *key = vector_key(9, size);
        OWNED(secret) struct secret *back = NULL;
        BUFFER(wrapped, 8192);
        assert_ok(key_wrap_padded(kek, key, &wrapped));
        assert_int_equal(wrapped.size, (size + 7) / 8 * 8 + 8);
        assert_ok(key_unwrap_padded(kek, buffer_bytes(&wrapped), &back));
        assert_true(secret_equal(secret_bytes(key), secret_bytes(back)));
    }
    OWNED(secret) struct secret *largest = vector_key(9, SECRET_SIZE_MAX);
    OWNED(secret) struct secret *again = NULL;
    BUFFER(all, 8192);
    assert_ok(key_wrap_padded(kek, largest, &all));
    assert_ok(key_unwrap_padded(kek, buffer_bytes(&all), &again));
    assert_int_equal(secret_size(again), SECRET_SIZE_MAX);
}

static void padded_lengths_are_bounded(void **state)
{
    (void)state;
    static const uint8_t bytes[SECRET_SIZE_MAX + 64];
    OWNED(secret) struct secret *kek = vector_key(0, 32);
    OWNED(secret) struct secret *empty = NULL;
    struct secret *back = NULL;
    BUFFER(wrapped, 64);
    assert_ok(secret_new(0, &empty));
    assert_status(key_wrap_padded(kek, empty, &wrapped), STATUS_INVALID);
    assert_status(key_unwrap_padded(kek, bytes_of(bytes, 8), &back), STATUS_INVALID);
    assert_status(key_unwrap_padded(kek, bytes_of(bytes, 17), &back), STATUS_INVALID);
    assert_status(key_unwrap_padded(kek, BYTES_ARRAY(bytes), &back), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_of_rfc3394),
        cmocka_unit_test(known_answer_of_formats_2),
        cmocka_unit_test(any_flipped_bit_is_refused),
        cmocka_unit_test(another_key_and_other_lengths_are_refused),
        cmocka_unit_test(padded_wrap_of_known_lengths),
        cmocka_unit_test(padded_wrap_of_every_length),
        cmocka_unit_test(padded_lengths_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
