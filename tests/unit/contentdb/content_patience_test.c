/* A content DB that hangs costs each caller its own deadline and no more, also in a shared call. */

#include "contentdb/content_client.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MS = 5000 }; /* What a client of the frontend is promised. */

static struct test_pki *pki;
static struct rpc_client *rpc;
static struct content_client *client;
static int hung_fd; /* Takes connections, says nothing. */

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    hung_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(hung_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(hung_fd, 16), 0);
    assert_int_equal(getsockname(hung_fd, (struct sockaddr *)&address, &size), 0);
    char target[64];
    snprintf(target, sizeof(target), "127.0.0.1:%d", ntohs(address.sin_port));

    assert_ok(test_pki_new("c1", &pki));
    assert_ok(test_pki_issue(pki, "frontend", "f1", NULL));
    struct rpc_client_options options = {
        .tls = test_pki_files(pki, "frontend", "f1"),
        .message_max = CONTENT_MESSAGE_MAX,
        .arena_max = CONTENT_ARENA_MAX,
    };
    assert_ok(rpc_client_start(&options, &rpc));
    struct content_client_options one_call = {.lookup_calls_max = 1, .commit_calls_max = 1};
    assert_ok(content_client_new(rpc, target, "c1.contentdb.test", &one_call, &client));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    content_client_free(client);
    rpc_client_free(rpc);
    test_pki_free(pki);
    close(hung_fd);
    return 0;
}

struct caller {
    struct task task;
    int64_t wait_ms;
    int64_t returned_ms;
    struct status status;
};

static void look_up(void *context)
{
    struct caller *caller = context;
    Triad__Content__LookupItem item = TRIAD__CONTENT__LOOKUP_ITEM__INIT;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__LookupResult *result = NULL;
    caller->status = content_client_lookup(
        client, &item, clock_monotonic_ms() + caller->wait_ms, &reply, &result);
    caller->returned_ms = clock_monotonic_ms();
}

/* The first call holds the lane; the other two share the next one, which has the last's deadline.
 */
static void a_shared_call_holds_nobody_beyond_the_own_deadline(void **state)
{
    (void)state;
    struct caller callers[] = {{.wait_ms = 500}, {.wait_ms = 900}, {.wait_ms = 2800}};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(task_start(&callers[i].task, "caller", look_up, &callers[i]));
        clock_sleep_ms(20);
    }
    for (size_t i = 0; i < 3; i++) {
        task_join(&callers[i].task);
        assert_false(status_ok(callers[i].status));
    }
    /* 1.9 s before the last. */
    assert_true(callers[1].returned_ms + 500 < callers[2].returned_ms);
}

static void commit(void *context)
{
    struct caller *caller = context;
    Triad__Content__CommitItem item = TRIAD__CONTENT__COMMIT_ITEM__INIT;
    struct content_commit answer;
    item.kind = TRIAD__CONTENT__COMMIT_KIND__DELETE;
    caller->status =
        content_client_commit(client, &item, clock_monotonic_ms() + caller->wait_ms, &answer);
}

/* What was sent may have happened; what only queued did not. */
static void a_commit_ends_in_time_and_tells_what_is_certain(void **state)
{
    (void)state;
    int64_t begun = clock_monotonic_ms();
    struct caller sent = {.wait_ms = 1500};
    struct caller queued = {.wait_ms = 500};
    assert_ok(task_start(&sent.task, "sent", commit, &sent));
    clock_sleep_ms(100);
    assert_ok(task_start(&queued.task, "queued", commit, &queued));
    task_join(&sent.task);
    task_join(&queued.task);
    assert_true(clock_monotonic_ms() < begun + ANSWER_MS);
    assert_int_equal(sent.status.code, STATUS_UNKNOWN);
    assert_int_equal(queued.status.code, STATUS_UNAVAILABLE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_shared_call_holds_nobody_beyond_the_own_deadline),
        TEST(a_commit_ends_in_time_and_tells_what_is_certain),
    };
    return cmocka_run_group_tests_name("content_patience", tests, NULL, NULL);
}
