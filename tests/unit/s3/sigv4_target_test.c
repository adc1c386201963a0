/*
 * sigv4_target: one reading of a canonical request, or none. Frontend and key store both rely on
 * it, so each ambiguity that is refused here is a confusion that cannot happen.
 */

#include "lib/s3/sigv4_target.h"

#include "tests/support/cmocka.h"

#include <stdio.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TAIL                                                                                       \
    "host:localhost:9000\nx-amz-content-sha256:" EMPTY "\nx-amz-date:20261124T172610Z\n\n"         \
    "host;x-amz-content-sha256;x-amz-date\n" EMPTY

static struct status parse(struct arena *arena, const char *text, struct sigv4_target *target)
{
    return sigv4_target_parse(bytes_text(text), bytes_text(""), arena, target);
}

static bool is(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_text(text));
}

static void a_whole_request_is_understood(void **state)
{
    static const char TEXT[] =
        "PUT\n/my-bucket/dir%20a/%C3%BCber%2Bplus%25~.txt\npartNumber=3&uploadId=abc.def\n"
        "content-type:text/plain\nhost:localhost:9000\n"
        "x-amz-content-sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
        "x-amz-copy-source:/other-bucket/a%20key?versionId=v1\n"
        "x-amz-date:20261124T172610Z\n\n"
        "content-type;host;x-amz-content-sha256;x-amz-copy-source;x-amz-date\n"
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    ARENA(arena, 65536);
    struct sigv4_target target;
    struct bytes value;
    (void)state;
    assert_ok(parse(&arena, TEXT, &target));
    assert_int_equal(target.verb, SIGV4_PUT);
    assert_true(is(target.bucket, "my-bucket"));
    assert_true(
        is(target.key, "dir a/\xc3\xbc"
                       "ber+plus%~.txt"));
    assert_true(is(target.upload_id, "abc.def"));
    assert_int_equal(target.part_number, 3);
    assert_int_equal(target.subresources, SIGV4_SUB_UPLOAD_ID | SIGV4_SUB_PART_NUMBER);
    assert_true(target.has_copy_source);
    assert_true(is(target.copy_bucket, "other-bucket"));
    assert_true(is(target.copy_key, "a key"));
    assert_true(is(target.copy_version_id, "v1"));
    assert_int_equal(target.payload, SIGV4_PAYLOAD_SHA256);
    assert_int_equal(target.payload_sha256[0], 0x2c);
    assert_true(is(target.amz_date, "20261124T172610Z"));
    assert_true(sigv4_target_header(&target, "content-type", &value) && is(value, "text/plain"));
    assert_false(sigv4_target_header(&target, "range", &value));
    assert_true(sigv4_target_parameter(&target, "uploadId", &value) && is(value, "abc.def"));
}

static void paths_name_service_bucket_or_key(void **state)
{
    static const char *const CASES[][3] = {
        {"/", "", ""},
        {"/abc", "abc", ""},
        {"/abc/", "abc", ""},
        {"/abc/k", "abc", "k"},
        {"/abc//", "abc", "/"},
        {"/abc/../x", "abc", "../x"},
        {"/abc/k/", "abc", "k/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ARENA(arena, 65536);
        struct sigv4_target target;
        char text[512];
        snprintf(text, sizeof(text), "GET\n%s\n\n" TAIL, CASES[i][0]);
        assert_ok(parse(&arena, text, &target));
        assert_true(is(target.bucket, CASES[i][1]));
        assert_true(is(target.key, CASES[i][2]));
    }
}

static void a_domain_makes_hosts_into_buckets(void **state)
{
    ARENA(arena, 65536);
    struct sigv4_target target;
    struct bytes domain = bytes_text("s3.example.org");
    (void)state;
#define HOST_TAIL(host)                                                                            \
    "host:" host "\nx-amz-content-sha256:" EMPTY "\nx-amz-date:20261124T172610Z\n\n"               \
    "host;x-amz-content-sha256;x-amz-date\n" EMPTY
    assert_ok(sigv4_target_parse(
        bytes_text("GET\n/a/b\n\n" HOST_TAIL("my-bucket.s3.example.org:9000")), domain, &arena,
        &target));
    assert_true(is(target.bucket, "my-bucket") && is(target.key, "a/b"));
    assert_ok(sigv4_target_parse(
        bytes_text("GET\n/abc/b\n\n" HOST_TAIL("s3.example.org")), domain, &arena, &target));
    assert_true(is(target.bucket, "abc") && is(target.key, "b"));
    assert_ok(sigv4_target_parse(
        bytes_text("GET\n/abc/b\n\n" HOST_TAIL("xs3.example.org")), domain, &arena, &target));
    assert_true(is(target.bucket, "abc"));
}

static void anything_ambiguous_is_refused(void **state)
{
    static const char *const CASES[] = {
        "",
        "GET",
        "GET\n/abc\n",
        "GET\n/abc\n\n" TAIL "\n", /* Bytes left over. */
        "GET\nabc\n\n" TAIL,       /* No slash. */
        "GET\n/ab\n\n" TAIL,       /* Not a bucket. */
        "GET\n/Abc/k\n\n" TAIL,
        "GET\n//k\n\n" TAIL,         /* A key without a bucket. */
        "GET\n/abc/%41\n\n" TAIL,    /* Encoded without need. */
        "GET\n/abc/%c3%bc\n\n" TAIL, /* Lower-case hexadecimal. */
        "GET\n/abc/a b\n\n" TAIL,
        "GET\n/abc/a%2Fb\n\n" TAIL,
        "GET\n/abc/a%00b\n\n" TAIL, /* NUL. */
        "GET\n/abc%2Fk\n\n" TAIL,
        "GET\n/abc\nuploads\n" TAIL, /* No '='. */
        "GET\n/abc\nb=1&a=1\n" TAIL, /* Unsorted. */
        "GET\n/abc\na=1&a=2\n" TAIL, /* Repeated. */
        "GET\n/abc\na=1&\n" TAIL,
        "GET\n/abc\n=1\n" TAIL,
        "GET\n/abc\na=+\n" TAIL,
        "GET\n/abc\nlist-type=1\n" TAIL,
        "GET\n/abc/k\npartNumber=0\n" TAIL,
        "GET\n/abc/k\npartNumber=10001\n" TAIL,
        "GET\n/abc/k\npartNumber=x\n" TAIL,
        "GET\n/abc\nX-Amz-Expires=5\n" TAIL, /* Half presigned. */
        "GET\n/abc\nX-Amz-Date=20261124T172610Z\n" TAIL,
        "GET\n/abc\nX-Amz-Algorithm=AWS4-HMAC-SHA256\n" TAIL,
        /* Headers: repeated, unsorted, not those listed, host not signed, untrimmed. */
        "GET\n/abc\n\nhost:a\nhost:b\n\nhost;host\n" EMPTY,
        "GET\n/abc\n\nx-amz-date:1\nhost:a\nx-amz-content-sha256:" EMPTY
        "\n\nx-amz-date;host;x-amz-content-sha256\n" EMPTY,
        "GET\n/abc\n\nhost:a\nx-amz-content-sha256:" EMPTY
        "\nx-amz-date:1\n\nhost;x-amz-content-sha256\n" EMPTY,
        "GET\n/abc\n\nhost:a\nx-amz-content-sha256:" EMPTY
        "\n\nhost;x-amz-content-sha256;x-amz-date\n" EMPTY,
        "GET\n/abc\n\nx-amz-content-sha256:" EMPTY
        "\nx-amz-date:1\n\nx-amz-content-sha256;x-amz-date\n" EMPTY,
        "GET\n/abc\n\nhost: a\nx-amz-content-sha256:" EMPTY
        "\nx-amz-date:1\n\nhost;x-amz-content-sha256;x-amz-date\n" EMPTY,
        "GET\n/abc\n\nHost:a\nx-amz-content-sha256:" EMPTY
        "\nx-amz-date:1\n\nHost;x-amz-content-sha256;x-amz-date\n" EMPTY,
        /* The payload hash: unknown, or another than the header says, or not signed. */
        "GET\n/abc\n\nhost:a\nx-amz-content-sha256:x\nx-amz-date:1\n\n"
        "host;x-amz-content-sha256;x-amz-date\nx",
        "GET\n/abc\n\nhost:a\nx-amz-content-sha256:" EMPTY
        "\nx-amz-date:1\n\nhost;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
        "GET\n/abc\n\nhost:a\nx-amz-date:1\n\nhost;x-amz-date\nUNSIGNED-PAYLOAD",
        "GET\n/abc\n\nhost:a\nx-amz-content-sha256:" EMPTY "\n\nhost;x-amz-content-sha256\n" EMPTY,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ARENA(arena, 65536);
        struct sigv4_target target;
        struct status status = parse(&arena, CASES[i], &target);
        if (status.code != STATUS_INVALID) {
            fail_msg("case %zu: %s", i, status_text(status.code));
        }
    }
}

static void other_methods_are_unsupported(void **state)
{
    ARENA(arena, 65536);
    struct sigv4_target target;
    (void)state;
    assert_status(parse(&arena, "PATCH\n/abc\n\n" TAIL, &target), STATUS_UNSUPPORTED);
}

static void long_keys_and_long_texts_are_refused(void **state)
{
    static char text[20000];
    (void)state;
    for (size_t size = 1024; size <= 1025; size++) {
        ARENA(arena, 65536);
        struct sigv4_target target;
        char key[1026];
        memset(key, 'k', size);
        key[size] = '\0';
        snprintf(text, sizeof(text), "GET\n/abc/%s\n\n" TAIL, key);
        assert_status(parse(&arena, text, &target), size == 1024 ? STATUS_OK : STATUS_INVALID);
    }
    ARENA(arena, 65536);
    struct sigv4_target target;
    memset(text, 'a', sizeof(text) - 1);
    assert_status(parse(&arena, text, &target), STATUS_INVALID);
}

static void presigned_requests_carry_their_window(void **state)
{
    ARENA(arena, 65536);
    struct sigv4_target target;
    (void)state;
    assert_ok(parse(
        &arena,
        "GET\n/abc/k\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A&X-Amz-Date="
        "20261124T172610Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host\nhost:a\n\nhost\n"
        "UNSIGNED-PAYLOAD",
        &target));
    assert_true(target.is_presigned);
    assert_int_equal(target.expires_s, 3600);
    assert_true(is(target.amz_date, "20261124T172610Z"));
    assert_int_equal(target.payload, SIGV4_PAYLOAD_UNSIGNED);
}

static void payload_words_are_known(void **state)
{
    static const struct {
        const char *text;
        enum sigv4_payload payload;
    } CASES[] = {
        {EMPTY, SIGV4_PAYLOAD_SHA256},
        {"UNSIGNED-PAYLOAD", SIGV4_PAYLOAD_UNSIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGV4_PAYLOAD_STREAMING},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIGV4_PAYLOAD_STREAMING_TRAILER},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGV4_PAYLOAD_UNSIGNED_TRAILER},
    };
    enum sigv4_payload payload;
    uint8_t sha256[32];
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_ok(sigv4_target_payload(bytes_text(CASES[i].text), &payload, sha256));
        assert_int_equal(payload, CASES[i].payload);
    }
    assert_status(
        sigv4_target_payload(bytes_text("unsigned-payload"), &payload, sha256), STATUS_INVALID);
}

static void copy_sources_are_bucket_and_key(void **state)
{
    static const char *const BAD[] = {"", "/", "abc", "/abc", "/abc/", "/ab/k", "abc/%", "abc/%00"};
    ARENA(arena, 65536);
    struct bytes bucket;
    struct bytes key;
    struct bytes version;
    (void)state;
    assert_ok(
        sigv4_target_copy_source(&arena, bytes_text("abc/a+b%3F/c"), &bucket, &key, &version));
    assert_true(is(bucket, "abc") && is(key, "a+b?/c") && is(version, ""));
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_status(
            sigv4_target_copy_source(&arena, bytes_text(BAD[i]), &bucket, &key, &version),
            STATUS_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_request_is_understood),
        cmocka_unit_test(paths_name_service_bucket_or_key),
        cmocka_unit_test(a_domain_makes_hosts_into_buckets),
        cmocka_unit_test(anything_ambiguous_is_refused),
        cmocka_unit_test(other_methods_are_unsupported),
        cmocka_unit_test(long_keys_and_long_texts_are_refused),
        cmocka_unit_test(presigned_requests_carry_their_window),
        cmocka_unit_test(payload_words_are_known),
        cmocka_unit_test(copy_sources_are_bucket_and_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
