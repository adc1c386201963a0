/* A log line is one line of valid JSON, whatever was put into it. */

#include "lib/telemetry/log.h"

#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char text[16384];
static int saved_fd;
static int pipe_fds[2];

static void capture_begin(void)
{
    fflush(stderr);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    saved_fd = dup(STDERR_FILENO);
    assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
}

static const char *capture_end(void)
{
    assert_true(dup2(saved_fd, STDERR_FILENO) >= 0);
    ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    close(saved_fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return text;
}

static void a_line_has_its_fields_in_order(void **state)
{
    (void)state;
    log_setup("blobnode", LOG_INFO);
    log_set_request("r1");
    capture_begin();
    log_event(
        LOG_WARN, "it failed", LOG_TEXT("node", "b1"), LOG_INT("count", -5),
        LOG_HEX("id", bytes_of("\x01\xff", 2)), LOG_STATUS(FAIL(NOT_FOUND, "row")));
    const char *line = capture_end();
    log_set_request("");
    assert_non_null(strstr(
        line, "\"level\":\"warn\",\"daemon\":\"blobnode\",\"event\":\"it failed\","
              "\"request\":\"r1\",\"node\":\"b1\",\"count\":-5,\"id\":\"01ff\","
              "\"status\":\"NOT_FOUND\",\"where\":\"tests/unit/telemetry/log_test.c:"));
    assert_memory_equal(line, "{\"time\":\"20", 11);
    assert_string_equal(line + strlen(line) - 2, "}\n");
}

static void hostile_text_stays_inside_its_quotes(void **state)
{
    (void)state;
    capture_begin();
    log_event(LOG_INFO, "x", LOG_BYTES("key", bytes_of("a\"b\\c\n\x00\xc3\xa9", 9)));
    const char *line = capture_end();
    assert_non_null(strstr(line, "\"key\":\"a\\\"b\\\\c\\u000a\\u0000\\u00c3\\u00a9\"}\n"));
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    static char huge[8192];
    memset(huge, '"', sizeof(huge) - 1);
    capture_begin();
    log_event(LOG_INFO, "x", LOG_TEXT("a", huge), LOG_INT("b", 7));
    const char *line = capture_end();
    assert_null(strstr(line, "\"a\":"));
    assert_non_null(strstr(line, "\"event\":\"x\",\"b\":7,\"cut\":true}\n"));
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    capture_begin();
    log_event(LOG_DEBUG, "quiet");
    assert_string_equal(capture_end(), "");
    log_setup("d", LOG_DEBUG);
    capture_begin();
    log_event(LOG_DEBUG, "loud");
    assert_non_null(strstr(capture_end(), "loud"));
    log_setup("d", LOG_INFO);
}

static void a_request_id_is_cut(void **state)
{
    (void)state;
    log_set_request("0123456789012345678901234567890123456789");
    assert_int_equal(strlen(log_request()), 31);
    log_set_request("");
    assert_string_equal(log_request(), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_its_fields_in_order),
        cmocka_unit_test(hostile_text_stays_inside_its_quotes),
        cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(a_request_id_is_cut),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
