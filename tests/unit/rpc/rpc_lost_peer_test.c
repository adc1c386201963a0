/* A server that dies under a call leaves its outcome unknown; later calls are unavailable at once,
 * and the channel finds a new server by itself. */

#include "lib/base/clock.h"
#include "tests/unit/rpc/echo_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct echo echo;

/* A server in a process of its own; gRPC must not be running in ours yet the first time, so all
 * are forked before the client starts and wait for a byte. */
struct child {
    pid_t pid;
    int go_fd;   /* We write: start. */
    int port_fd; /* We read: the port. */
};

static void serve(int go_fd, int port_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int port = 0;
    if (read(go_fd, &port, sizeof(port)) != sizeof(port)) {
        _exit(1);
    }
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    struct rpc_server *server = NULL;
    if (!status_ok(echo_serve(&echo, address, 2, 8, &server))) {
        _exit(1);
    }
    port = rpc_server_port(server);
    IGNORE(write(port_fd, &port, sizeof(port))); /* The parent notices. */
    pause();
    _exit(0);
}

static struct child make_child(void)
{
    int go[2];
    int back[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(back), 0);
    struct child child = {.pid = fork(), .go_fd = go[1], .port_fd = back[0]};
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        serve(go[0], back[1]);
    }
    close(go[0]);
    close(back[1]);
    return child;
}

static int start_child(const struct child *child, int port)
{
    assert_int_equal(write(child->go_fd, &port, sizeof(port)), sizeof(port));
    assert_int_equal(read(child->port_fd, &port, sizeof(port)), sizeof(port));
    return port;
}

static void kill_child(struct child *child)
{
    kill(child->pid, SIGKILL);
    assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
    close(child->go_fd);
    close(child->port_fd);
}

static void note_end(void *arg, struct status status, struct rpc_reply *reply)
{
    rpc_reply_free(reply);
    atomic_store((atomic_int *)arg, (int)status.code);
}

static void a_lost_server_is_unknown_then_unavailable_then_found_again(void **state)
{
    (void)state;
    struct child first = make_child();
    struct child second = make_child();
    int port = start_child(&first, 0);
    snprintf(echo.target, sizeof(echo.target), "127.0.0.1:%d", port);
    echo_connect(&echo, "frontend", "f1", &echo.client, &echo.channel);
    assert_ok(echo_say(echo.channel, "warm"));

    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 5000;
    struct rpc_request request = echo_request("Say", &message);
    atomic_int code = -1;
    rpc_start(echo.channel, &request, note_end, &code);
    clock_sleep_ms(100);
    kill_child(&first);
    for (int i = 0; i < 300 && atomic_load(&code) < 0; i++) {
        clock_sleep_ms(10);
    }
    assert_int_equal(atomic_load(&code), STATUS_UNKNOWN);

    request.wait_for_ready = false;
    struct rpc_reply *reply = NULL;
    assert_status(rpc_call_wait(echo.channel, &request, &reply), STATUS_UNAVAILABLE);
    assert_false(rpc_channel_is_up(echo.channel));

    start_child(&second, port);
    for (int i = 0; i < 500 && !rpc_channel_is_up(echo.channel); i++) {
        clock_sleep_ms(10);
    }
    assert_ok(echo_say(echo.channel, "back"));
    rpc_channel_free(echo.channel);
    rpc_client_free(echo.client);
    kill_child(&second);
}

static int setup(void **state)
{
    (void)state;
    assert_ok(test_pki_new("c1", &echo.pki));
    assert_ok(test_pki_issue(echo.pki, "blobnode", "b1", NULL));
    assert_ok(test_pki_issue(echo.pki, "frontend", "f1", NULL));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_pki_free(echo.pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_server_is_unknown_then_unavailable_then_found_again),
    };
    return cmocka_run_group_tests_name("rpc_lost_peer", tests, setup, teardown);
}
