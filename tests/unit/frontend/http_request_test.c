/*
 * http_request: one reading of a head, or none. The refused ones are what smuggling is made of:
 * most of them llhttp would take.
 */

#include "frontend/http_request.h"

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#define START "GET /abc HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"

static struct status
parse(struct arena *arena, const char *text, struct http_request *request, unsigned *http_status)
{
    struct bytes bytes = bytes_text(text);
    size_t size = 0;
    TRY(http_request_find_end(bytes, &size));
    assert_int_equal(size, bytes.size);
    return http_request_parse(bytes, HTTP_HEADERS_MAX, arena, request, http_status);
}

static bool is(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_text(text));
}

static void a_head_is_taken_apart(void **state)
{
    ARENA(arena, 65536);
    struct http_request request;
    unsigned http_status;
    struct bytes value;
    (void)state;
    assert_ok(parse(
        &arena,
        "PUT /abc/a%20b?x=1&y HTTP/1.1\r\nhOST: localhost:9000\r\nContent-Length: 12 \r\n"
        "X-Empty:\r\nX-Amz-Meta-A: \t two  words \r\nExpect: 100-Continue\r\n\r\n",
        &request, &http_status));
    assert_true(is(request.method, "PUT"));
    assert_true(is(request.path, "/abc/a%20b"));
    assert_true(is(request.query, "x=1&y"));
    assert_true(is(request.host, "localhost:9000"));
    assert_int_equal(request.header_count, 5);
    assert_int_equal(request.framing, HTTP_CONTENT_LENGTH);
    assert_int_equal(request.content_length, 12);
    assert_true(request.expects_continue);
    assert_true(request.keeps_alive);
    assert_false(request.is_head);
    assert_true(http_request_header(&request, "x-empty", &value) && value.size == 0);
    assert_true(http_request_header(&request, "x-amz-meta-a", &value) && is(value, "two  words"));
    assert_false(http_request_header(&request, "range", &value));
}

static void connections_live_as_their_version_says(void **state)
{
    static const struct {
        const char *head;
        bool keeps_alive;
    } CASES[] = {
        {START HOST "\r\n", true},
        {START HOST "Connection: close\r\n\r\n", false},
        {START HOST "Connection: foo, Close\r\n\r\n", false},
        {"HEAD /abc HTTP/1.0\r\n" HOST "\r\n", false},
        {"HEAD /abc HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", true},
        {"\r\n" START HOST "\r\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ARENA(arena, 65536);
        struct http_request request;
        unsigned http_status;
        assert_ok(parse(&arena, CASES[i].head, &request, &http_status));
        assert_int_equal(request.keeps_alive, CASES[i].keeps_alive);
    }
}

static void what_two_parsers_could_read_differently_is_refused(void **state)
{
    static const struct {
        const char *head;
        unsigned http_status;
    } CASES[] = {
        {START "\r\n", 400},
        {START "Host:\r\n\r\n", 400},
        {START HOST HOST "\r\n", 400},
        {START "Host: a b\r\n\r\n", 400},
        {START "Host: a/b\r\n\r\n", 400},
        {START HOST "X: a\r\n b\r\n\r\n", 400},
        {START HOST "X: a\r\n\tb\r\n\r\n", 400},
        {START HOST "X:\r\n b\r\n\r\n", 400},
        {START HOST ": a\r\n\r\n", 400},
        {START ": a\r\n" HOST "\r\n", 400},
        {START HOST "X : a\r\n\r\n", 400},
        {START HOST "X\r\n\r\n", 400},
        {START HOST "X(: a\r\n\r\n", 400},
        {START HOST "X: a\rb\r\n\r\n", 400},
        {START HOST "X: a\x01"
                    "b\r\n\r\n",
         400},
        {START HOST "X: a\x7f\r\n\r\n", 400},
        {START HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {START HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
        {START HOST "Content-Length: 1, 1\r\n\r\n", 400},
        {START HOST "Content-Length: -1\r\n\r\n", 400},
        {START HOST "Content-Length: +1\r\n\r\n", 400},
        {START HOST "Content-Length: 1a\r\n\r\n", 400},
        {START HOST "Content-Length: 0x1\r\n\r\n", 400},
        {START HOST "Content-Length:\r\n\r\n", 400},
        {START HOST "Content-Length: 99999999999999999999\r\n\r\n", 400},
        {START HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {START HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
        {START HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
        {START HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {START HOST "Transfer-Encoding: chunked, identity\r\n\r\n", 501},
        {START HOST "Transfer-Encoding: xchunked\r\n\r\n", 501},
        {START HOST "Transfer-Encoding: identity\r\n\r\n", 501},
        {"POST /abc HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
        {"GET /abc HTTP/0.9\r\n" HOST "\r\n", 505},
        {"GET /abc HTTP/2.0\r\n" HOST "\r\n", 505},
        {"GET /abc HTTP/1.2\r\n" HOST "\r\n", 505},
        {"GET /abc\r\n" HOST "\r\n", 505},
        {"GET abc HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://localhost/abc HTTP/1.1\r\n" HOST "\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT localhost:1 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /a\x80 HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET  /a HTTP/1.1\r\n" HOST "\r\n", 400},
        {"FOO /a HTTP/1.1\r\n" HOST "\r\n", 501},
        {"get /a HTTP/1.1\r\n" HOST "\r\n", 501},
        {START HOST "Expect: 200-ok\r\n\r\n", 417},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ARENA(arena, 65536);
        struct http_request request;
        unsigned http_status = 0;
        struct status status = parse(&arena, CASES[i].head, &request, &http_status);
        /* Of a wrong version or coding, either refusal is right. */
        bool is_right = http_status == CASES[i].http_status ||
                        (http_status == 400 && CASES[i].http_status >= 501);
        if (status_ok(status) || !is_right) {
            fail_msg("case %zu: %s, %u", i, status_text(status.code), http_status);
        }
    }
}

static void nul_is_refused(void **state)
{
    static const char HEAD[] = "GET /abc HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    static const char TARGET[] = "GET /a\0c HTTP/1.1\r\nHost: a\r\n\r\n";
    ARENA(arena, 65536);
    struct http_request request;
    unsigned http_status;
    (void)state;
    assert_status(
        http_request_parse(bytes_of(HEAD, sizeof(HEAD) - 1), 100, &arena, &request, &http_status),
        STATUS_INVALID);
    assert_status(
        http_request_parse(
            bytes_of(TARGET, sizeof(TARGET) - 1), 100, &arena, &request, &http_status),
        STATUS_INVALID);
}

static void more_headers_than_allowed_are_431(void **state)
{
    (void)state;
    for (size_t count = 100; count <= 101; count++) {
        ARENA(arena, 65536);
        struct http_request request;
        unsigned http_status = 0;
        BUFFER(text, 65536);
        buffer_add_text(&text, START HOST);
        for (size_t i = 1; i < count; i++) {
            buffer_printf(&text, "X-%zu: 1\r\n", i);
        }
        buffer_add_text(&text, "\r\n");
        struct status status =
            http_request_parse(buffer_bytes(&text), 100, &arena, &request, &http_status);
        assert_status(status, count == 100 ? STATUS_OK : STATUS_INVALID);
        assert_true(count == 100 || http_status == 431);
    }
}

static void the_end_is_found_and_nothing_after_it_taken(void **state)
{
    size_t size;
    (void)state;
    assert_ok(http_request_find_end(bytes_text(START HOST), &size));
    assert_int_equal(size, 0);
    assert_ok(http_request_find_end(bytes_text(START HOST "\r"), &size));
    assert_int_equal(size, 0);
    assert_ok(http_request_find_end(bytes_text(START HOST "\r\nGET"), &size));
    assert_int_equal(size, strlen(START HOST) + 2);
    assert_ok(http_request_find_end(bytes_text(""), &size));
    assert_int_equal(size, 0);
    assert_status(http_request_find_end(bytes_text("GET / HTTP/1.1\n"), &size), STATUS_INVALID);
    assert_status(http_request_find_end(bytes_text("\n"), &size), STATUS_INVALID);
    assert_status(http_request_find_end(bytes_text("\r\n\r\n"), &size), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(connections_live_as_their_version_says),
        cmocka_unit_test(what_two_parsers_could_read_differently_is_refused),
        cmocka_unit_test(nul_is_refused),
        cmocka_unit_test(more_headers_than_allowed_are_431),
        cmocka_unit_test(the_end_is_found_and_nothing_after_it_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
