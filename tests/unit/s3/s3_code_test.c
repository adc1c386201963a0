/* base64, uri_code and bucket_name: one text for one value, and nothing else is taken. */

#include "lib/s3/base64.h"
#include "lib/s3/bucket_name.h"
#include "lib/s3/uri_code.h"
#include "tests/support/cmocka.h"

static void base64_knows_the_answers_of_rfc_4648(void **state)
{
    static const char *const CASES[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char text[16];
        uint8_t back[8];
        struct bytes plain = bytes_text(CASES[i][0]);
        base64_encode(plain, text);
        assert_string_equal(text, CASES[i][1]);
        assert_true(base64_decode(bytes_text(text), back, plain.size));
        assert_memory_equal(back, plain.data, plain.size);
    }
}

static void base64_refuses_what_is_not_canonical(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } CASES[] = {
        {"Zh==", 1}, {"Zg=", 1},  {"Zg", 1},   {"Zm9=", 2},     {"Zm8", 2},  {"Z===", 1},
        {"Zm9v", 2}, {"Zm 9", 3}, {"====", 1}, {"Zg==Zg==", 2}, {"Zm9-", 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint8_t back[8];
        assert_false(base64_decode(bytes_text(CASES[i].text), back, CASES[i].size));
    }
}

static void encoding_keeps_only_the_unreserved(void **state)
{
    (void)state;
    BUFFER(text, 1024);
    uri_code_encode(&text, bytes_text("a/b c+~-_.*\xc3\xbc%"), true);
    buffer_add_text(&text, "|");
    uri_code_encode(&text, bytes_text("/"), false);
    buffer_add_u8(&text, 0);
    assert_string_equal((char *)text.data, "a/b%20c%2B~-_.%2A%C3%BC%25|%2F");
}

static void every_byte_comes_back(void **state)
{
    (void)state;
    uint8_t all[256];
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    BUFFER(text, 4096);
    ARENA(arena, 4096);
    struct bytes back;
    uri_code_encode(&text, BYTES_ARRAY(all), false);
    assert_true(uri_code_is_canonical(buffer_bytes(&text), false));
    assert_ok(uri_code_decode(&arena, buffer_bytes(&text), false, &back));
    assert_true(bytes_equal(back, BYTES_ARRAY(all)));
}

static void wrong_percent_encoding_is_refused(void **state)
{
    static const char *const CASES[] = {"%", "%4", "a%", "%zz", "%4g", "%%41"};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ARENA(arena, 1024);
        struct bytes back;
        assert_status(uri_code_decode(&arena, bytes_text(CASES[i]), false, &back), STATUS_INVALID);
        assert_false(uri_code_is_canonical(bytes_text(CASES[i]), false));
    }
}

static void canonical_means_the_one_encoding(void **state)
{
    (void)state;
    assert_true(uri_code_is_canonical(bytes_text("a%20b%2F"), false));
    assert_false(uri_code_is_canonical(bytes_text("a%2f"), false));
    assert_false(uri_code_is_canonical(bytes_text("%41"), false));
    assert_false(uri_code_is_canonical(bytes_text("a b"), false));
    assert_false(uri_code_is_canonical(bytes_text("a/b"), false));
    assert_true(uri_code_is_canonical(bytes_text("a/b"), true));
    assert_false(uri_code_is_canonical(bytes_text("a%2Fb"), true));
}

static void plus_is_a_space_only_in_queries(void **state)
{
    (void)state;
    ARENA(arena, 1024);
    struct bytes back;
    assert_ok(uri_code_decode(&arena, bytes_text("a+b%2B"), true, &back));
    assert_true(bytes_equal(back, bytes_text("a b+")));
    assert_ok(uri_code_decode(&arena, bytes_text("a+b%2B"), false, &back));
    assert_true(bytes_equal(back, bytes_text("a+b+")));
}

static void bucket_names_are_those_of_s3(void **state)
{
    static const char *const GOOD[] = {"abc", "my-bucket", "a.b.c", "123", "a1-2.b", "1.2.3"};
    static const char *const BAD[] = {
        "",
        "ab",
        "Abc",
        "a_b",
        "-abc",
        "abc-",
        ".abc",
        "abc.",
        "a..b",
        "a.-b",
        "a-.b",
        "192.168.1.10",
        "xn--abc",
        "abc-s3alias",
        "a b",
        "a/bcd",
        "\xc3\xbc"
        "abc",
        "sthree-x",
        "abc--ol-s3",
        "a.mrap",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        assert_true(bucket_name_is_valid(bytes_text(GOOD[i])));
    }
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_false(bucket_name_is_valid(bytes_text(BAD[i])));
    }
    char name[64];
    memset(name, 'a', sizeof(name));
    assert_true(bucket_name_is_valid(bytes_of(name, 63)));
    assert_false(bucket_name_is_valid(bytes_of(name, 64)));
}

static void keys_are_1_to_1024_bytes_without_nul(void **state)
{
    char key[1025];
    (void)state;
    memset(key, 0xff, sizeof(key));
    assert_true(bucket_name_key_is_valid(bytes_of(key, 1024)));
    assert_false(bucket_name_key_is_valid(bytes_of(key, 1025)));
    assert_false(bucket_name_key_is_valid(bytes_of(key, 0)));
    key[7] = '\0';
    assert_false(bucket_name_key_is_valid(bytes_of(key, 10)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_knows_the_answers_of_rfc_4648),
        cmocka_unit_test(base64_refuses_what_is_not_canonical),
        cmocka_unit_test(encoding_keeps_only_the_unreserved),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(wrong_percent_encoding_is_refused),
        cmocka_unit_test(canonical_means_the_one_encoding),
        cmocka_unit_test(plus_is_a_space_only_in_queries),
        cmocka_unit_test(bucket_names_are_those_of_s3),
        cmocka_unit_test(keys_are_1_to_1024_bytes_without_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
