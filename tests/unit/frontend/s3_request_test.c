/* s3_request: from the words of HTTP to an operation and its arguments, with S3's errors. */

#include "frontend/s3_request.h"

#include "lib/base/clock.h"
#include "lib/s3/s3_time.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct fixture {
    struct arena arena;
    struct http_request http;
    struct s3_request *request;
    const char *why;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.why = ""};
    arena_init(&fixture.arena, 4 * 1024 * 1024);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    arena_done(&fixture->arena);
    return 0;
}

/* Parse a request whose line and headers are given, signed with signed_headers, age_s ago. */
static enum s3_error ask_at(
    struct fixture *fixture, int64_t age_s, const char *line, const char *headers,
    const char *signed_headers)
{
    char stamp[S3_TIME_AMZ_SIZE + 1];
    char head[8192];
    size_t size = 0;
    unsigned http_status;
    s3_time_format_amz(clock_wall_s() - age_s, stamp);
    snprintf(
        head, sizeof(head),
        "%s HTTP/1.1\r\nHost: localhost\r\nX-Amz-Date: %s\r\n%sAuthorization: AWS4-HMAC-SHA256 "
        "Credential=AKIATEST/%.8s/us-east-1/s3/aws4_request, SignedHeaders=%s, "
        "Signature=" EMPTY "\r\n\r\n",
        line, stamp, headers, stamp, signed_headers);
    struct bytes bytes = arena_copy(&fixture->arena, bytes_text(head));
    assert_ok(http_request_find_end(bytes, &size));
    assert_ok(http_request_parse(bytes, 100, &fixture->arena, &fixture->http, &http_status));
    return s3_request_parse(
        &fixture->http, bytes_text(""), &fixture->arena, &fixture->request, &fixture->why);
}

#define SHA "X-Amz-Content-Sha256: " EMPTY "\r\n"
#define UNSIGNED "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n"
#define SIGNED "host;x-amz-content-sha256;x-amz-date"

static enum s3_error ask(struct fixture *fixture, const char *line, const char *headers)
{
    return ask_at(fixture, 0, line, headers, SIGNED);
}

static bool is(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_text(text));
}

static void a_get_is_understood(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        ask(fixture, "GET /abc/a%20b",
            SHA "Range: bytes=5-9\r\nIf-None-Match: \"e\"\r\nIf-Modified-Since: Fri, 24 May 2013 "
                "00:00:00 GMT\r\n"),
        S3_ERROR_NONE);
    struct s3_request *request = fixture->request;
    assert_int_equal(request->operation, S3_GET_OBJECT);
    assert_true(is(request->target.bucket, "abc") && is(request->target.key, "a b"));
    assert_true(is(request->authorization.access_key, "AKIATEST"));
    assert_true(bytes_starts_with(request->canonical, bytes_text("GET\n/abc/a%20b\n\nhost:")));
    assert_int_equal(request->range.kind, S3_RANGE_FROM_TO);
    assert_int_equal(request->range.last, 9);
    assert_true(is(request->conditions.if_none_match, "\"e\""));
    assert_true(request->conditions.has_if_modified_since);
}

static void a_put_has_attributes_and_checksums(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        ask_at(
            fixture, 0, "PUT /abc/k",
            "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nContent-Length: 99\r\n"
            "X-Amz-Decoded-Content-Length: 5\r\nX-Amz-Trailer: x-amz-checksum-crc32\r\n"
            "Content-Encoding: aws-chunked,gzip\r\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n"
            "X-Amz-Meta-B: 2\r\nX-Amz-Meta-A: 1\r\nx-amz-meta-b: 3\r\nContent-Type: text/plain\r\n",
            "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-meta-a;"
            "x-amz-meta-b;x-amz-trailer"),
        S3_ERROR_NONE);
    struct s3_request *request = fixture->request;
    assert_int_equal(request->operation, S3_PUT_OBJECT);
    assert_true(request->checksums.is_aws_chunked && request->checksums.trailer_crc32);
    assert_int_equal(request->checksums.decoded_length, 5);
    assert_true(request->checksums.has_md5);
    assert_int_equal(request->checksums.md5[0], 0x5d);
    assert_int_equal(request->attribute_count, 4);
    assert_true(is(request->attributes[0].name, "content-encoding"));
    assert_true(is(request->attributes[0].value, "gzip"));
    assert_true(is(request->attributes[1].name, "content-type"));
    assert_true(is(request->attributes[2].name, "x-amz-meta-a"));
    assert_true(is(request->attributes[3].value, "2,3"));
}

static void wrong_requests_have_the_errors_of_s3(void **state)
{
    static const struct {
        const char *line;
        const char *headers;
        enum s3_error want;
    } CASES[] = {
        {"GET /ab/k", SHA, S3_ERROR_INVALID_BUCKET_NAME},
        {"PUT /Abc", SHA, S3_ERROR_INVALID_BUCKET_NAME},
        {"GET /abc/%zz", SHA, S3_ERROR_INVALID_URI},
        {"GET /abc/%00", SHA, S3_ERROR_INVALID_URI},
        {"GET /abc?a=%", SHA, S3_ERROR_INVALID_URI},
        {"GET /abc/k", "", S3_ERROR_INVALID_REQUEST},
        {"GET /abc/k", "X-Amz-Content-Sha256: abc\r\n", S3_ERROR_INVALID_ARGUMENT},
        {"GET /abc/k?partNumber=0", SHA, S3_ERROR_INVALID_ARGUMENT},
        {"GET /abc/k?a=1&a=2", SHA, S3_ERROR_INVALID_ARGUMENT},
        {"PATCH /abc/k", SHA, S3_ERROR_METHOD_NOT_ALLOWED},
        {"GET /abc?acl", SHA, S3_ERROR_NOT_IMPLEMENTED},
        {"POST /abc/k", SHA, S3_ERROR_NOT_IMPLEMENTED},
        {"PUT /abc/k", SHA, S3_ERROR_MISSING_CONTENT_LENGTH},
        {"PUT /abc/k", SHA "Content-Length: 0\r\nContent-MD5: abc\r\n", S3_ERROR_INVALID_DIGEST},
        {"PUT /abc/k", SHA "Content-Length: 0\r\nX-Amz-Meta-A: 1\r\n", S3_ERROR_ACCESS_DENIED},
        {"PUT /abc/k", SHA "Content-Length: 0\r\nX-Amz-Copy-Source: /abc/x\r\n",
         S3_ERROR_ACCESS_DENIED},
        {"PUT /abc/k", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n",
         S3_ERROR_MISSING_CONTENT_LENGTH},
        {"GET /abc/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", SHA, S3_ERROR_INVALID_REQUEST},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        enum s3_error got = ask(fixture, CASES[i].line, CASES[i].headers);
        if (got != CASES[i].want) {
            fail_msg("case %zu: %s (%s)", i, s3_error_code(got), fixture->why);
        }
    }
}

static void headers_that_ask_for_more_are_not_ignored(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        enum s3_error want;
    } CASES[] = {
        {"x-amz-server-side-encryption-customer-algorithm", "AES256", S3_ERROR_NOT_IMPLEMENTED},
        {"x-amz-server-side-encryption", "aws:kms", S3_ERROR_NOT_IMPLEMENTED},
        {"x-amz-server-side-encryption", "AES256", S3_ERROR_NONE},
        {"x-amz-acl", "public-read", S3_ERROR_NOT_IMPLEMENTED},
        {"x-amz-acl", "private", S3_ERROR_NONE},
        {"x-amz-tagging", "a=b", S3_ERROR_NOT_IMPLEMENTED},
        {"x-amz-object-lock-mode", "GOVERNANCE", S3_ERROR_NOT_IMPLEMENTED},
        {"x-amz-security-token", "t", S3_ERROR_NOT_IMPLEMENTED},
        {"x-amz-checksum-sha1", "t", S3_ERROR_NOT_IMPLEMENTED},
        {"x-amz-checksum-crc32", "t", S3_ERROR_INVALID_REQUEST},
        {"x-amz-checksum-crc32", "AAAAAA==", S3_ERROR_NONE},
        {"x-amz-trailer", "x-amz-checksum-crc32", S3_ERROR_INVALID_REQUEST},
        {"x-amz-storage-class", "STANDARD", S3_ERROR_NONE},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char headers[512];
        char list[512];
        bool is_before = strcmp(CASES[i].name, "x-amz-content-sha256") < 0;
        snprintf(
            headers, sizeof(headers), UNSIGNED "Content-Length: 0\r\n%s: %s\r\n", CASES[i].name,
            CASES[i].value);
        bool is_after = strcmp(CASES[i].name, "x-amz-date") > 0;
        snprintf(
            list, sizeof(list), "host;%s%sx-amz-content-sha256;x-amz-date%s%s",
            is_before ? CASES[i].name : "", is_before ? ";" : "", is_after ? ";" : "",
            is_after ? CASES[i].name : "");
        enum s3_error got = ask_at(fixture, 0, "PUT /abc/k", headers, list);
        if (got != CASES[i].want) {
            fail_msg("case %zu: %s (%s)", i, s3_error_code(got), fixture->why);
        }
    }
}

static void keys_have_1024_bytes(void **state)
{
    struct fixture *fixture = *state;
    char line[1200];
    char key[1026];
    memset(key, 'k', sizeof(key));
    key[1025] = '\0';
    snprintf(line, sizeof(line), "GET /abc/%s", key);
    assert_int_equal(ask(fixture, line, SHA), S3_ERROR_KEY_TOO_LONG);
    key[1024] = '\0';
    snprintf(line, sizeof(line), "GET /abc/%s", key);
    assert_int_equal(ask(fixture, line, SHA), S3_ERROR_NONE);
}

static void metadata_has_2048_bytes(void **state)
{
    struct fixture *fixture = *state;
    char headers[4096];
    char value[2048];
    memset(value, 'v', sizeof(value));
    value[2047] = '\0';
    for (size_t size = 2047; size <= 2048; size++) {
        snprintf(
            headers, sizeof(headers), SHA "Content-Length: 0\r\nx-amz-meta-%s: %s\r\n",
            size == 2047 ? "a" : "ab", value);
        assert_int_equal(
            ask_at(
                fixture, 0, "PUT /abc/k", headers,
                size == 2047 ? SIGNED ";x-amz-meta-a" : SIGNED ";x-amz-meta-ab"),
            size == 2047 ? S3_ERROR_NONE : S3_ERROR_METADATA_TOO_LARGE);
    }
}

static void clocks_may_differ_by_a_quarter_of_an_hour(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask_at(fixture, 890, "GET /", SHA, SIGNED), S3_ERROR_NONE);
    assert_int_equal(ask_at(fixture, -890, "GET /", SHA, SIGNED), S3_ERROR_NONE);
    assert_int_equal(ask_at(fixture, 910, "GET /", SHA, SIGNED), S3_ERROR_REQUEST_TIME_SKEWED);
    assert_int_equal(ask_at(fixture, -910, "GET /", SHA, SIGNED), S3_ERROR_REQUEST_TIME_SKEWED);
}

static void who_does_not_sign_is_refused(void **state)
{
    static const struct {
        const char *head;
        enum s3_error want;
    } CASES[] = {
        {"GET /abc/k HTTP/1.1\r\nHost: a\r\n\r\n", S3_ERROR_ACCESS_DENIED},
        {"GET /abc/k HTTP/1.1\r\nHost: a\r\nAuthorization: AWS A:b\r\nX-Amz-Date: "
         "20261124T000000Z\r\n\r\n",
         S3_ERROR_INVALID_REQUEST},
        {"GET /abc/k HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4-HMAC-SHA256 x\r\nX-Amz-Date: "
         "20261124T000000Z\r\n\r\n",
         S3_ERROR_AUTHORIZATION_HEADER_MALFORMED},
        {"GET /abc/k HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4-HMAC-SHA256 x\r\n\r\n",
         S3_ERROR_ACCESS_DENIED},
        {"GET /abc/k?X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1\r\nHost: a\r\n\r\n",
         S3_ERROR_AUTHORIZATION_QUERY_PARAMETERS},
        {"GET /abc/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20130524%2Fus-east-1"
         "%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders="
         "host&X-Amz-Signature=" EMPTY " HTTP/1.1\r\nHost: a\r\n\r\n",
         S3_ERROR_REQUEST_EXPIRED},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        unsigned http_status;
        assert_ok(http_request_parse(
            bytes_text(CASES[i].head), 100, &fixture->arena, &fixture->http, &http_status));
        enum s3_error got = s3_request_parse(
            &fixture->http, bytes_text(""), &fixture->arena, &fixture->request, &fixture->why);
        if (got != CASES[i].want) {
            fail_msg("case %zu: %s (%s)", i, s3_error_code(got), fixture->why);
        }
    }
}

static void listing_arguments_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct s3_list_arguments list;
    assert_int_equal(
        ask(fixture, "GET /abc?list-type=2&prefix=a%2Fb&delimiter=%2F&max-keys=7&encoding-type=url",
            SHA),
        S3_ERROR_NONE);
    assert_int_equal(s3_request_list_arguments(fixture->request, &list), S3_ERROR_NONE);
    assert_true(list.is_v2 && list.encodes_url && !list.fetches_owner);
    assert_true(is(list.prefix, "a/b") && is(list.delimiter, "/"));
    assert_int_equal(list.max_keys, 7);
    assert_int_equal(ask(fixture, "GET /abc?max-keys=99999999&marker=m", SHA), S3_ERROR_NONE);
    assert_int_equal(s3_request_list_arguments(fixture->request, &list), S3_ERROR_NONE);
    assert_int_equal(list.max_keys, 1000);
    assert_true(is(list.start_after, "m"));
    static const char *const BAD[] = {
        "GET /abc?max-keys=-1",      "GET /abc?max-keys=x",
        "GET /abc?encoding-type=xx", "GET /abc?list-type=2&continuation-token=",
        "GET /abc?prefix=%00",
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        assert_int_equal(ask(fixture, BAD[i], SHA), S3_ERROR_NONE);
        assert_int_equal(
            s3_request_list_arguments(fixture->request, &list), S3_ERROR_INVALID_ARGUMENT);
    }
    struct s3_parts_arguments parts;
    assert_int_equal(
        ask(fixture, "GET /abc/k?uploadId=u&max-parts=5&part-number-marker=3", SHA), S3_ERROR_NONE);
    assert_int_equal(s3_request_parts_arguments(fixture->request, &parts), S3_ERROR_NONE);
    assert_int_equal(parts.max, 5);
    assert_int_equal(parts.marker, 3);
    struct s3_uploads_arguments uploads;
    assert_int_equal(ask(fixture, "GET /abc?uploads&key-marker=k", SHA), S3_ERROR_NONE);
    assert_int_equal(s3_request_uploads_arguments(fixture->request, &uploads), S3_ERROR_NONE);
    assert_true(is(uploads.key_marker, "k"));
    struct bytes value;
    assert_int_equal(ask(fixture, "GET /abc/k?response-expires=now", SHA), S3_ERROR_NONE);
    assert_true(s3_request_override(fixture->request, "expires", &value) && is(value, "now"));
    assert_false(s3_request_override(fixture->request, "content-type", &value));
}

static void ranges_are_those_of_rfc_9110(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
        bool is_satisfiable;
        uint64_t offset;
        uint64_t length;
    } CASES[] = {
        {"bytes=0-0", 10, true, 0, 1},
        {"bytes=5-9", 10, true, 5, 5},
        {"bytes=5-99", 10, true, 5, 5},
        {"bytes=5-", 10, true, 5, 5},
        {"bytes=-3", 10, true, 7, 3},
        {"bytes=-30", 10, true, 0, 10},
        {"bytes=10-", 10, false, 0, 0},
        {"bytes=10-11", 10, false, 0, 0},
        {"bytes=-0", 10, false, 0, 0},
        {"bytes=0-", 0, false, 0, 0},
        {"bytes=-5", 0, false, 0, 0},
        /* Not one range: the whole. */
        {"bytes=9-5", 10, true, 0, 10},
        {"bytes=0-1,3-4", 10, true, 0, 10},
        {"bytes=a-b", 10, true, 0, 10},
        {"bytes=", 10, true, 0, 10},
        {"bytes=-", 10, true, 0, 10},
        {"items=0-1", 10, true, 0, 10},
        {"bytes=9999999999999999999999-", 10, true, 0, 10},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char headers[256];
        uint64_t offset = 0;
        uint64_t length = 0;
        snprintf(headers, sizeof(headers), SHA "Range: %s\r\n", CASES[i].text);
        assert_int_equal(ask(fixture, "GET /abc/k", headers), S3_ERROR_NONE);
        struct status status =
            s3_request_resolve_range(&fixture->request->range, CASES[i].size, &offset, &length);
        if (status_ok(status) != CASES[i].is_satisfiable || offset != CASES[i].offset ||
            length != CASES[i].length) {
            fail_msg("case %zu", i);
        }
    }
}

static void conditions_follow_rfc_9110(void **state)
{
    struct bytes etag = bytes_text("abc");
    struct s3_conditions none = {.has_if_modified_since = false};
    struct s3_conditions c;
    (void)state;
    assert_int_equal(s3_request_check_conditions(&none, true, etag, 100), S3_ERROR_NONE);
    c = none;
    c.if_match = bytes_text("\"x\", \"abc\"");
    assert_int_equal(s3_request_check_conditions(&c, true, etag, 100), S3_ERROR_NONE);
    c.has_if_unmodified_since = true; /* Ignored beside If-Match. */
    c.if_unmodified_since_s = 50;
    assert_int_equal(s3_request_check_conditions(&c, true, etag, 100), S3_ERROR_NONE);
    c.if_match = bytes_text("\"ab\"");
    assert_int_equal(
        s3_request_check_conditions(&c, true, etag, 100), S3_ERROR_PRECONDITION_FAILED);
    c.if_match = bytes_text("");
    assert_int_equal(
        s3_request_check_conditions(&c, true, etag, 100), S3_ERROR_PRECONDITION_FAILED);
    c = none;
    c.if_none_match = bytes_text("*");
    assert_int_equal(s3_request_check_conditions(&c, true, etag, 100), S3_ERROR_NOT_MODIFIED);
    assert_int_equal(
        s3_request_check_conditions(&c, false, etag, 100), S3_ERROR_PRECONDITION_FAILED);
    c.if_none_match = bytes_text("W/\"abd\"");
    assert_int_equal(s3_request_check_conditions(&c, true, etag, 100), S3_ERROR_NONE);
    c = none;
    c.has_if_modified_since = true;
    c.if_modified_since_s = 100;
    assert_int_equal(s3_request_check_conditions(&c, true, etag, 100), S3_ERROR_NOT_MODIFIED);
    assert_int_equal(s3_request_check_conditions(&c, true, etag, 101), S3_ERROR_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_get_is_understood),
        TEST(a_put_has_attributes_and_checksums),
        TEST(wrong_requests_have_the_errors_of_s3),
        TEST(headers_that_ask_for_more_are_not_ignored),
        TEST(keys_have_1024_bytes),
        TEST(metadata_has_2048_bytes),
        TEST(clocks_may_differ_by_a_quarter_of_an_hour),
        TEST(who_does_not_sign_is_refused),
        TEST(listing_arguments_are_bounded),
        TEST(ranges_are_those_of_rfc_9110),
        TEST(conditions_follow_rfc_9110),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
