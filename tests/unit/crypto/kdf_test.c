/* Derivation is FORMATS 2, and every bit of key, label and context counts. */

#include "lib/crypto/kdf.h"

#include "lib/crypto/random.h"
#include "tests/support/vector.h"

static const char fk[] = "aa1f28ebc0c6c468efe0df0ced16efa19dd24430305afb3f3d758f3b2ffbbacf";

static void known_answer_of_formats_2(void **state)
{
    (void)state;
    static const uint8_t zeros[48];
    OWNED(secret) struct secret *key = vector_key(0, 32);
    OWNED(secret) struct secret *whole = NULL;
    OWNED(secret) struct secret *joined = NULL;
    struct bytes parts[] = {bytes_of(zeros, 16), bytes_of(zeros, 16), bytes_of(zeros, 16)};
    assert_ok(kdf_derive1(key, "triad/v1/fk", BYTES_ARRAY(zeros), &whole));
    vector_check(secret_bytes(whole), fk);
    assert_ok(kdf_derive(key, "triad/v1/fk", parts, 3, &joined));
    vector_check(secret_bytes(joined), fk);
}

static void label_and_context_separate_keys(void **state)
{
    (void)state;
    static const uint8_t zeros[48];
    OWNED(secret) struct secret *key = vector_key(0, 32);
    OWNED(secret) struct secret *a = NULL;
    OWNED(secret) struct secret *b = NULL;
    OWNED(secret) struct secret *c = NULL;
    assert_ok(kdf_derive1(key, "triad/v1/fk", BYTES_ARRAY(zeros), &a));
    assert_ok(kdf_derive1(key, "triad/v1/fj", BYTES_ARRAY(zeros), &b));
    assert_ok(kdf_derive1(key, "triad/v1/fk", bytes_of(zeros, 47), &c));
    assert_false(secret_equal(secret_bytes(a), secret_bytes(b)));
    assert_false(secret_equal(secret_bytes(a), secret_bytes(c)));
}

static void random_bytes_fill_and_differ(void **state)
{
    (void)state;
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    assert_ok(random_bytes(a, sizeof(a)));
    assert_ok(random_bytes(b, sizeof(b)));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_ok(random_bytes(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_of_formats_2),
        cmocka_unit_test(label_and_context_separate_keys),
        cmocka_unit_test(random_bytes_fill_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
