/* A node that keeps its connections and answers nothing is not up; once others answer, what its
 * calls hold is given back, and it is found again when it wakes. */

#include "blobnode/blob_client.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/task.h"
#include "tests/unit/blobnode/blob_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PUTS = 6, SIZE = 300000, SILENT_NUMBER = 12, PAIRS_MAX = 16 };

/* Carries bytes between the client and the node, until it is told to stall. */
static struct relay {
    int listen_fd;
    uint16_t port;
    atomic_bool is_stalled;
    atomic_bool is_ending;
    int fds[2 * PAIRS_MAX]; /* Ends of one connection stand beside each other. */
    unsigned count;
    struct task task;
} relay;

static struct blob_fixture node;
static struct blob_caller frontend;
static uint8_t bytes[SIZE];
static atomic_int released;
static atomic_int done_ok;
static atomic_int done_late;

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void relay_accept(void)
{
    int near = accept4(relay.listen_fd, NULL, NULL, SOCK_CLOEXEC);
    int far = connect_to((uint16_t)strtol(strchr(node.target, ':') + 1, NULL, 10));
    if (near < 0 || far < 0 || relay.count + 2 > 2 * PAIRS_MAX) {
        close(near);
        close(far);
        return;
    }
    relay.fds[relay.count++] = near;
    relay.fds[relay.count++] = far;
}

static void relay_move(unsigned from)
{
    char buffer[65536];
    ssize_t got = recv(relay.fds[from], buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got > 0) {
        IGNORE(send(relay.fds[from ^ 1], buffer, (size_t)got, MSG_NOSIGNAL)); /* Then it is cut. */
    } else if (got == 0) {
        IGNORE(shutdown(relay.fds[from ^ 1], SHUT_WR)); /* It may be shut already. */
        relay.fds[from] = -1 - relay.fds[from];
    }
}

static void relay_run(void *context)
{
    (void)context;
    while (!atomic_load(&relay.is_ending)) {
        struct pollfd polled[2 * PAIRS_MAX + 1] = {{.fd = relay.listen_fd, .events = POLLIN}};
        for (unsigned i = 0; i < relay.count; i++) {
            polled[i + 1] = (struct pollfd){.fd = relay.fds[i], .events = POLLIN};
        }
        bool is_stalled = atomic_load(&relay.is_stalled);
        if (is_stalled || poll(polled, relay.count + 1, 20) <= 0) {
            clock_sleep_ms(is_stalled ? 20 : 0);
            continue;
        }
        for (unsigned i = relay.count; i > 0; i--) {
            if (polled[i].revents != 0) {
                relay_move(i - 1);
            }
        }
        if (polled[0].revents != 0) {
            relay_accept();
        }
    }
}

static void relay_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    relay = (struct relay){.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(relay.listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(relay.listen_fd, 16), 0);
    assert_int_equal(getsockname(relay.listen_fd, (struct sockaddr *)&address, &size), 0);
    relay.port = ntohs(address.sin_port);
    assert_ok(task_start(&relay.task, "relay", relay_run, NULL));
}

static void relay_stop(void)
{
    atomic_store(&relay.is_ending, true);
    task_join(&relay.task);
    close(relay.listen_fd);
    for (unsigned i = 0; i < relay.count; i++) {
        close(relay.fds[i] >= 0 ? relay.fds[i] : -1 - relay.fds[i]);
    }
}

/* Account 11 directly, and 12 behind the relay: to the client it is another node. */
static int setup(void **state)
{
    (void)state;
    blob_fixture_start(&node);
    blob_fixture_call_as(&node, "frontend", "f1", &frontend);
    relay_start();
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%d", relay.port);
    struct blob_account_row row = {
        .account = blob_fixture_account,
        .number = SILENT_NUMBER,
        .node_id = "b2",
        .address = address,
        .tls_name = "b1.blobnode.test",
    };
    assert_ok(blob_client_set_accounts(frontend.client, &row, 1));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    atomic_store(&relay.is_stalled, false);
    blob_fixture_hang_up(&frontend);
    relay_stop();
    blob_fixture_stop(&node);
    return 0;
}

static void release(void *arg)
{
    (void)arg;
    atomic_fetch_add(&released, 1);
}

static void count_put(void *arg, struct status status, enum blob_outcome outcome)
{
    (void)arg;
    (void)outcome;
    bool is_late = status.code == STATUS_TIMEOUT || status.code == STATUS_UNAVAILABLE;
    atomic_fetch_add(status_ok(status) ? &done_ok : is_late ? &done_late : &released, 1);
}

static void put(uint32_t account, uint32_t number, int64_t deadline_ms)
{
    struct id16 id = {{0}};
    encode_u32(id.bytes, number);
    encode_u32(id.bytes + 8, account);
    struct rpc_slice slice = {.bytes = BYTES_ARRAY(bytes), .release = release};
    blob_client_put(frontend.client, account, &id, &slice, 1, deadline_ms, count_put, NULL);
}

/* A put that the other node answers; true while the wait goes on. */
static bool others_go_on(uint32_t *number, int64_t until_ms)
{
    struct id16 id = {{0}};
    enum blob_outcome outcome;
    encode_u32(id.bytes, ++*number);
    assert_ok(blob_fixture_put(&frontend, &id, bytes_text("x"), &outcome));
    clock_sleep_ms(50);
    return clock_monotonic_ms() < until_ms;
}

static void what_a_silent_node_holds_comes_back(void **state)
{
    (void)state;
    uint32_t number = 1000;
    int64_t deadline_ms = clock_monotonic_ms() + 4 * BLOB_FIXTURE_WAIT_MS;
    int64_t until_ms = deadline_ms - BLOB_FIXTURE_WAIT_MS;
    put(SILENT_NUMBER, 1, deadline_ms);
    while (atomic_load(&done_ok) == 0 && others_go_on(&number, until_ms)) {
    }
    assert_int_equal(atomic_load(&done_ok), 1);
    assert_true(blob_client_is_up(frontend.client, SILENT_NUMBER));

    atomic_store(&relay.is_stalled, true);
    for (uint32_t i = 0; i < PUTS; i++) { /* More than go at once: some only queue. */
        put(SILENT_NUMBER, 2 + i, deadline_ms);
    }
    while (blob_client_is_up(frontend.client, SILENT_NUMBER) && others_go_on(&number, until_ms)) {
    }
    assert_false(blob_client_is_up(frontend.client, SILENT_NUMBER));
    assert_true(blob_client_is_up(frontend.client, BLOB_FIXTURE_NUMBER));
    /* Long before the calls' own deadlines. */
    while (atomic_load(&released) < 1 + PUTS && others_go_on(&number, until_ms)) {
        IGNORE(blob_client_is_up(frontend.client, SILENT_NUMBER)); /* Whoever asks looks at it. */
    }
    assert_int_equal(atomic_load(&released), 1 + PUTS);
    assert_int_equal(atomic_load(&done_late), PUTS);

    atomic_store(&relay.is_stalled, false);
    while (!blob_client_is_up(frontend.client, SILENT_NUMBER) && others_go_on(&number, until_ms)) {
    }
    put(SILENT_NUMBER, 100, deadline_ms);
    while (atomic_load(&done_ok) < 2 && others_go_on(&number, until_ms)) {
    }
    assert_int_equal(atomic_load(&done_ok), 2);
}

/* Where nobody answers, the fault may be a disk that all share: the calls keep their time. */
static void without_another_that_answers_calls_are_not_cut(void **state)
{
    (void)state;
    int before = atomic_load(&done_ok);
    atomic_store(&relay.is_stalled, true);
    put(SILENT_NUMBER, 200, clock_monotonic_ms() + BLOB_FIXTURE_WAIT_MS);
    int64_t until_ms = clock_monotonic_ms() + BLOB_CUT_MS + 2 * BLOB_SILENT_MS;
    while (clock_monotonic_ms() < until_ms) {
        clock_sleep_ms(50);
        IGNORE(blob_client_is_up(frontend.client, SILENT_NUMBER)); /* Whoever asks looks at it. */
    }
    assert_false(blob_client_is_up(frontend.client, SILENT_NUMBER));
    atomic_store(&relay.is_stalled, false);
    until_ms = clock_monotonic_ms() + BLOB_FIXTURE_WAIT_MS;
    while (atomic_load(&done_ok) == before && clock_monotonic_ms() < until_ms) {
        clock_sleep_ms(20);
    }
    assert_int_equal(atomic_load(&done_ok), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_silent_node_holds_comes_back),
        cmocka_unit_test(without_another_that_answers_calls_are_not_cut),
    };
    return cmocka_run_group_tests_name("blob_silence", tests, setup, teardown);
}
