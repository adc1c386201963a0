/* The admin port answers two questions, and nobody can make it hang or fall. */

#include "lib/daemon/admin.h"

#include "lib/base/clock.h"
#include "lib/version/version.h"
#include "tests/support/cmocka.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static struct admin *admin;
static _Atomic(const char *) waiting;

static const char *health(void *context)
{
    (void)context;
    return atomic_load(&waiting);
}

static int setup(void **state)
{
    (void)state;
    return status_ok(admin_start("127.0.0.1:0", "sample", health, NULL, &admin)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    admin_free(admin);
    return 0;
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)admin_port(admin)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static char answer[65536];

static const char *ask(const char *request)
{
    int fd = dial();
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    size_t size = 0;
    for (ssize_t n; (n = recv(fd, answer + size, sizeof(answer) - 1 - size, 0)) > 0;) {
        size += (size_t)n;
    }
    answer[size] = '\0';
    close(fd);
    return answer;
}

static void health_says_what_is_waited_for(void **state)
{
    (void)state;
    atomic_store(&waiting, "waiting for the key store");
    const char *got = ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_memory_equal(got, "HTTP/1.0 503 ", 13);
    assert_non_null(strstr(got, "\r\n\r\nwaiting for the key store\n"));
    atomic_store(&waiting, NULL);
    got = ask("GET /health HTTP/1.0\n\n");
    assert_memory_equal(got, "HTTP/1.0 200 OK\r\n", 17);
    assert_non_null(strstr(got, "\r\n\r\nready\n"));
}

static void every_answer_tells_who_answers_and_its_clock(void **state)
{
    (void)state;
    const char *requests[] = {"GET /health HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        const char *got = ask(requests[i]);
        assert_non_null(strstr(got, "\r\nServer: triad-sample/" TRIAD_VERSION "\r\n"));
        const char *date = strstr(got, "\r\nDate: ");
        assert_non_null(date);
        struct tm tm = {.tm_year = 0};
        const char *end = strptime(date + 8, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_non_null(end);
        assert_memory_equal(end, "\r\n", 2);
        int64_t behind_s = clock_wall_s() - timegm(&tm);
        assert_true(behind_s >= 0 && behind_s <= 2);
    }
}

static void metrics_are_exposed(void **state)
{
    (void)state;
    const char *got = ask("GET /metrics?x=1 HTTP/1.1\r\n\r\n");
    assert_memory_equal(got, "HTTP/1.0 200 OK\r\n", 17);
    assert_non_null(strstr(got, "process_resident_memory_bytes"));
}

static void other_questions_are_refused(void **state)
{
    (void)state;
    assert_memory_equal(ask("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.0 404", 12);
    assert_memory_equal(ask("GET /healthy HTTP/1.1\r\n\r\n"), "HTTP/1.0 404", 12);
    assert_memory_equal(ask("POST /health HTTP/1.1\r\n\r\n"), "HTTP/1.0 404", 12);
    assert_memory_equal(ask("\r\n\r\n"), "HTTP/1.0 404", 12);
}

static void a_long_head_is_refused(void **state)
{
    (void)state;
    static char request[4097];
    memset(request, 'x', 4096);
    const char *got = ask(request);
    assert_memory_equal(got, "HTTP/1.0 400", 12);
}

static void a_silent_client_is_dropped_after_two_seconds(void **state)
{
    (void)state;
    int fd = dial();
    int64_t begun_ms = clock_monotonic_ms();
    assert_memory_equal(ask("GET /health HTTP/1.1\r\n\r\n"), "HTTP/1.0 200", 12);
    assert_true(clock_monotonic_ms() - begun_ms < 4000);
    close(fd);
}

static void a_bad_address_is_refused(void **state)
{
    (void)state;
    struct admin *other = NULL;
    assert_status(admin_start("localhost", "sample", health, NULL, &other), STATUS_INVALID);
    assert_status(admin_start("127.0.0.1:http", "sample", health, NULL, &other), STATUS_INVALID);
    char same[32];
    snprintf(same, sizeof(same), "127.0.0.1:%d", admin_port(admin));
    assert_false(status_ok(admin_start(same, "sample", health, NULL, &other)));
    assert_null(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_says_what_is_waited_for),
        cmocka_unit_test(every_answer_tells_who_answers_and_its_clock),
        cmocka_unit_test(metrics_are_exposed),
        cmocka_unit_test(other_questions_are_refused),
        cmocka_unit_test(a_long_head_is_refused),
        cmocka_unit_test(a_silent_client_is_dropped_after_two_seconds),
        cmocka_unit_test(a_bad_address_is_refused),
    };
    return cmocka_run_group_tests_name("admin", tests, setup, teardown);
}
