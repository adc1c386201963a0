/* Whatever answers on a port, the doctor reads it without falling, and tells ours from others. */

#include "cli/doctor_dial.h"

#include "cli/doctor_ports.h"
#include "tests/support/cmocka.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct status parse(const char *text, struct doctor_dial_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    return doctor_dial_parse(bytes_text(text), answer);
}

static void an_answer_of_ours_is_read(void **state)
{
    (void)state;
    struct doctor_dial_answer answer;
    assert_ok(parse(
        "HTTP/1.0 503 Service Unavailable\r\nServer: triad-frontend/0.2.0\r\n"
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\n\r\nwaiting for x\n",
        &answer));
    assert_int_equal(answer.code, 503);
    assert_string_equal(answer.server, "triad-frontend/0.2.0");
    assert_int_equal(answer.date_s, 784111777);
    assert_string_equal(answer.line, "waiting for x");
}

static void other_answers_are_read_as_far_as_they_go(void **state)
{
    (void)state;
    struct doctor_dial_answer answer;
    assert_ok(parse("HTTP/1.1 200 OK\ndate: yesterday\nserver:nginx\n\nready", &answer));
    assert_int_equal(answer.date_s, 0);
    assert_string_equal(answer.server, "nginx");
    assert_string_equal(answer.line, "ready");
    assert_ok(parse("HTTP/1.1 404 Not Found\r\n", &answer));
    assert_string_equal(answer.server, "");
    assert_string_equal(answer.line, "");
    char head[4096] = "HTTP/1.1 200 OK\r\nServer: ";
    memset(head + strlen(head), 'x', 3000);
    memcpy(head + strlen(head), "\r\n\r\n", 4);
    assert_ok(parse(head, &answer));
    assert_int_equal(strlen(answer.server), sizeof(answer.server) - 1);
}

static void what_is_no_http_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.0 2x0 OK\r\n\r\n",
        "HTTP/1.0 20\r\n",
        "HTTP/1.0-200 OK\r\n\r\n",
        "HTTP/1.0 200 OK"};
    struct doctor_dial_answer answer;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_status(parse(texts[i], &answer), STATUS_INVALID);
    }
}

static void only_its_own_role_is_ours(void **state)
{
    (void)state;
    const char *version = NULL;
    assert_true(doctor_ports_is_ours("triad-keystore/0.2.0", "keystore", &version));
    assert_string_equal(version, "0.2.0");
    assert_false(doctor_ports_is_ours("triad-steward/0.2.0", "keystore", &version));
    assert_false(doctor_ports_is_ours("triad-keystore2/0.2.0", "keystore", &version));
    assert_false(doctor_ports_is_ours("triad-keystore", "keystore", &version));
    assert_false(doctor_ports_is_ours("nginx", "keystore", &version));
    assert_false(doctor_ports_is_ours("", "keystore", &version));
}

static void a_taken_port_is_told_from_a_free_one(void **state)
{
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(name);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(name.sin_port));
    assert_status(doctor_dial_bind(address), STATUS_BUSY);
    close(fd);
    assert_ok(doctor_dial_bind(address));
    int connected = -1;
    assert_false(status_ok(doctor_dial_connect(address, &connected)));
    assert_status(doctor_dial_bind("127.0.0.1"), STATUS_INVALID);
    assert_status(doctor_dial_bind("127.0.0.1:http"), STATUS_INVALID);
    assert_false(status_ok(doctor_dial_bind("192.0.2.1:0"))); /* TEST-NET-1 is nobody's. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_of_ours_is_read),
        cmocka_unit_test(other_answers_are_read_as_far_as_they_go),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(only_its_own_role_is_ours),
        cmocka_unit_test(a_taken_port_is_told_from_a_free_one),
    };
    return cmocka_run_group_tests_name("doctor_dial", tests, NULL, NULL);
}
