/* canonical_request: whatever spelling a client sends, the text that it signed comes out. */

#include "lib/s3/canonical_request.h"

#include "tests/support/cmocka.h"

#include <stdlib.h>

#define PAIR(n, v)                                                                                 \
    {                                                                                              \
        .name = {(const uint8_t *)(n), sizeof(n) - 1}, .value = {                                  \
            (const uint8_t *)(v),                                                                  \
            sizeof(v) - 1                                                                          \
        }                                                                                          \
    }

static const struct sigv4_pair HEADERS[] = {
    PAIR("Host", "localhost:9000"),
    PAIR("X-Amz-Date", "20261124T172610Z"),
    PAIR("x-amz-meta-note", "  two   spaces\t"),
    PAIR("X-Amz-Meta-Note", "again"),
    PAIR("User-Agent", "not signed"),
};

/* Build and compare; want is NULL where only the outcome counts. */
static struct status
build(const char *path, const char *query, const char *signed_headers, const char *want)
{
    ARENA(arena, 256 * 1024);
    BUFFER(text, SIGV4_CANONICAL_MAX + 1);
    const struct canonical_request_input input = {
        .method = bytes_text("PUT"),
        .path = bytes_text(path),
        .query = bytes_text(query),
        .headers = HEADERS,
        .header_count = sizeof(HEADERS) / sizeof(HEADERS[0]),
        .signed_headers = bytes_text(signed_headers),
        .payload_hash = bytes_text("UNSIGNED-PAYLOAD"),
    };
    TRY(canonical_request_build(&input, &arena, &text));
    buffer_add_u8(&text, 0);
    assert_ok(buffer_status(&text));
    if (want != NULL) {
        assert_string_equal((char *)text.data, want);
    }
    return OK;
}

static void path_is_encoded_once(void **state)
{
    (void)state;
    assert_ok(build(
        "/b/a%20b/%c3%bc+!~", "", "host",
        "PUT\n/b/a%20b/%C3%BC%2B%21~\n\nhost:localhost:9000\n\nhost\nUNSIGNED-PAYLOAD"));
    assert_ok(build(
        "/b//x/../y/", "", "host",
        "PUT\n/b//x/../y/\n\nhost:localhost:9000\n\nhost\nUNSIGNED-PAYLOAD"));
}

static void query_is_sorted_and_without_the_signature(void **state)
{
    (void)state;
    assert_ok(build(
        "/b", "uploads&b=2&a=x+y%2f&&B=&a=1&X-Amz-Signature=00", "host",
        "PUT\n/b\nB=&a=1&a=x%20y%2F&b=2&uploads=\nhost:localhost:9000\n\nhost\nUNSIGNED-PAYLOAD"));
}

static void values_are_trimmed_and_joined(void **state)
{
    (void)state;
    assert_ok(build(
        "/", "", "host;x-amz-date;x-amz-meta-note",
        "PUT\n/\n\nhost:localhost:9000\nx-amz-date:20261124T172610Z\n"
        "x-amz-meta-note:two spaces,again\n\nhost;x-amz-date;x-amz-meta-note\nUNSIGNED-PAYLOAD"));
}

static void what_cannot_be_signed_is_refused(void **state)
{
    (void)state;
    assert_status(build("/%zz", "", "host", NULL), STATUS_INVALID);
    assert_status(build("/", "a=%", "host", NULL), STATUS_INVALID);
    assert_status(build("/", "", "host;range", NULL), STATUS_INVALID);
    assert_status(build("/", "", "", NULL), STATUS_INVALID);
}

static void limits_hold(void **state)
{
    (void)state;
    char *long_path = malloc(20000);
    assert_non_null(long_path);
    memset(long_path, '/', 19999);
    long_path[19999] = '\0';
    assert_status(build(long_path, "", "host", NULL), STATUS_TOO_LARGE);
    char many[256] = "";
    for (size_t i = 0; i < 65; i++) {
        memcpy(many + 2 * i, "a&", 3);
    }
    assert_status(build("/", many, "host", NULL), STATUS_TOO_LARGE);
    free(long_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_encoded_once),
        cmocka_unit_test(query_is_sorted_and_without_the_signature),
        cmocka_unit_test(values_are_trimmed_and_joined),
        cmocka_unit_test(what_cannot_be_signed_is_refused),
        cmocka_unit_test(limits_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
