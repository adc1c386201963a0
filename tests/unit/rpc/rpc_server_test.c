/* The server lets in only whom the method's row names, before it reads what they say; it bounds
 * what it takes on, survives any bytes, and ends in order. */

#include "lib/rpc/rpc_server.h"

#include "lib/base/clock.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_tls.h"
#include "tests/unit/rpc/echo_fixture.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <grpc/byte_buffer.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

static struct echo echo;

static int setup(void **state)
{
    (void)state;
    echo_start(&echo, 2, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    echo_stop(&echo);
    return 0;
}

static enum status_code say_as(const char *role, const char *id, const char *method)
{
    struct rpc_client *client = NULL;
    struct rpc_channel *channel = NULL;
    echo_connect(&echo, role, id, &client, &channel);
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.text = (char[]){"x"};
    struct rpc_request request = echo_request(method, &message);
    request.deadline_ms = clock_monotonic_ms() + 3000;
    struct rpc_reply *reply = NULL;
    struct status status = rpc_call_wait(channel, &request, &reply);
    if (status_ok(status)) {
        rpc_reply_free(reply);
    }
    rpc_channel_free(channel);
    rpc_client_free(client);
    return status.code;
}

static void a_role_that_the_row_does_not_name_is_denied(void **state)
{
    (void)state;
    assert_ok(test_pki_issue(echo.pki, "steward", "s1", NULL));
    assert_ok(test_pki_issue(echo.pki, "blobnode", "b2", NULL));
    assert_ok(test_pki_issue(echo.pki, "operator", "alice", NULL));
    assert_int_equal(say_as("steward", "s1", "Say"), STATUS_OK);
    assert_int_equal(say_as("blobnode", "b2", "Say"), STATUS_DENIED);
    assert_int_equal(say_as("operator", "alice", "Say"), STATUS_DENIED);
    assert_int_equal(say_as("operator", "alice", "Operate"), STATUS_OK);
    assert_int_equal(say_as("frontend", "f1", "Operate"), STATUS_DENIED);
}

static void a_certificate_from_the_wrong_ca_is_denied(void **state)
{
    (void)state;
    int before = atomic_load(&echo.handled);
    assert_ok(test_pki_issue(echo.pki, "operator", "mallory", "services"));
    assert_ok(test_pki_issue(echo.pki, "frontend", "f9", "operators"));
    assert_ok(test_pki_issue(echo.pki, "frontend", "f8", "root"));
    assert_int_equal(say_as("operator", "mallory", "Operate"), STATUS_DENIED);
    assert_int_equal(say_as("frontend", "f9", "Say"), STATUS_DENIED);
    assert_int_equal(say_as("frontend", "f8", "Say"), STATUS_DENIED);
    assert_int_equal(atomic_load(&echo.handled), before);
}

static void a_method_without_a_row_is_unsupported(void **state)
{
    (void)state;
    assert_int_equal(say_as("frontend", "f1", "Unlisted"), STATUS_UNSUPPORTED);
}

/* A channel to the server without rpc_client around it. */
static struct status open_raw(const char *role, const char *id, grpc_channel **ret_channel)
{
    struct rpc_tls_files files = test_pki_files(echo.pki, role, id);
    OWNED(rpc_tls) struct rpc_tls *tls = NULL;
    OWNED(rpc_tls_material) struct rpc_tls_material *material = NULL;
    TRY(rpc_tls_new(&files, &tls));
    TRY(rpc_tls_poll(tls, &material));
    grpc_channel_credentials *credentials = NULL;
    TRY(rpc_tls_channel_credentials(material, "c1", RPC_ROLE_BLOBNODE, &credentials));
    grpc_arg argument = {
        .type = GRPC_ARG_STRING,
        .key = (char[]){GRPC_SSL_TARGET_NAME_OVERRIDE_ARG},
        .value.string = (char[]){"b1.blobnode.test"},
    };
    grpc_channel_args arguments = {.num_args = 1, .args = &argument};
    *ret_channel = grpc_channel_create(echo.target, credentials, &arguments);
    grpc_channel_credentials_release(credentials);
    return OK;
}

/* Our code's name in the status message; INTERNAL for a failure without one. */
static enum status_code code_of(grpc_status_code code, grpc_slice details)
{
    char *text = grpc_slice_to_c_string(details);
    enum status_code got = code == GRPC_STATUS_OK ? STATUS_OK : STATUS_INTERNAL;
    for (enum status_code each = STATUS_INVALID; each < STATUS_INTERNAL; each++) {
        size_t size = strlen(status_name(each));
        if (strncmp(text, status_name(each), size) == 0 && text[size] == ':') {
            got = each;
        }
    }
    gpr_free(text);
    return got;
}

struct raw_answer {
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *reply;
    grpc_status_code code;
    grpc_slice details;
};

static void exchange(grpc_call *call, struct bytes bytes, struct raw_answer *answer)
{
    grpc_slice message = grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&message, 1);
    grpc_op ops[6];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = buffer;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[3].data.recv_status_on_client.trailing_metadata = &answer->trailing;
    ops[3].data.recv_status_on_client.status = &answer->code;
    ops[3].data.recv_status_on_client.status_details = &answer->details;
    ops[4].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[4].data.recv_initial_metadata.recv_initial_metadata = &answer->initial;
    ops[5].op = GRPC_OP_RECV_MESSAGE;
    ops[5].data.recv_message.recv_message = &answer->reply;
    assert_int_equal(grpc_call_start_batch(call, ops, 6, call, NULL), GRPC_CALL_OK);
    grpc_slice_unref(message);
    grpc_byte_buffer_destroy(buffer);
}

/* A call by hand: any bytes as the message of any method. */
static struct status
call_raw(const char *role, const char *id, const char *path, struct bytes bytes)
{
    rpc_tls_library_init();
    grpc_channel *channel = NULL;
    TRY(open_raw(role, id, &channel));
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(5, GPR_TIMESPAN));
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_call *call =
        grpc_channel_create_call(channel, NULL, 0, queue, method, NULL, deadline, NULL);
    struct raw_answer answer = {.reply = NULL};
    grpc_metadata_array_init(&answer.initial);
    grpc_metadata_array_init(&answer.trailing);
    exchange(call, bytes, &answer);
    grpc_completion_queue_next(queue, never, NULL);
    enum status_code got = code_of(answer.code, answer.details);

    grpc_slice_unref(answer.details);
    grpc_slice_unref(method);
    grpc_metadata_array_destroy(&answer.initial);
    grpc_metadata_array_destroy(&answer.trailing);
    grpc_byte_buffer_destroy(answer.reply);
    grpc_call_unref(call);
    grpc_channel_destroy(channel);
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, never, NULL).type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(queue);
    grpc_shutdown();
    return (struct status){got, 0, "call by hand"};
}

static void malformed_messages_are_invalid(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\xff\xff\xff", 3}, /* A tag without an end. */
        {"\x0a\x05"
         "ab",
         4},                       /* A length past the end. */
        {"\x0b", 1},               /* A group. */
        {"\x7a\x02x", 3},          /* A payload shorter than it says. */
        {"\x7a\x01x\x0a\x01y", 6}, /* A payload that is not last. */
        {"\x78\x01", 2},           /* Field 15 of another type. */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
        {"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13},
    };
    const char *path = "/triad.test.Echo/Say";
    int before = atomic_load(&echo.handled);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(
            call_raw("frontend", "f1", path, bytes_of(bad[i].bytes, bad[i].size)), STATUS_INVALID);
    }
    assert_int_equal(atomic_load(&echo.handled), before);
    assert_ok(call_raw("frontend", "f1", path, bytes_of("\x0a\x01z\x7a\x01x", 6)));
    assert_ok(call_raw("frontend", "f1", path, bytes_of("", 0)));
}

/* Bytes that would be INVALID are not looked at. */
static void the_role_is_checked_before_unpacking(void **state)
{
    (void)state;
    assert_ok(test_pki_issue(echo.pki, "blobnode", "b2", NULL));
    struct bytes bad = bytes_of("\xff\xff\xff", 3);
    assert_status(call_raw("blobnode", "b2", "/triad.test.Echo/Say", bad), STATUS_DENIED);
    assert_status(call_raw("frontend", "f1", "/triad.test.Echo/Nope", bad), STATUS_UNSUPPORTED);
    assert_status(call_raw("frontend", "f1", "/", bad), STATUS_UNSUPPORTED);
}

static int raw_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)rpc_server_port(echo.server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void junk_on_the_port_does_no_harm(void **state)
{
    (void)state;
    static const char *const junk[] = {
        "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\xff\xff", ""};
    for (size_t i = 0; i < 4; i++) {
        int fd = raw_connect();
        IGNORE(send(fd, junk[i], strlen(junk[i]), MSG_NOSIGNAL)); /* It may be closed already. */
        clock_sleep_ms(20);
        close(fd);
    }
    uint8_t noise[4096];
    unsigned seed = 7;
    for (size_t i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t)(rand_r(&seed) >> 8);
    }
    int fd = raw_connect();
    IGNORE(send(fd, noise, sizeof(noise), MSG_NOSIGNAL));
    close(fd);
    assert_ok(echo_say(echo.channel, "still there"));
}

struct tally {
    atomic_int ended;
    atomic_int good;
    atomic_int unavailable;
};

static void note_end(void *arg, struct status status, struct rpc_reply *reply)
{
    struct tally *tally = arg;
    if (status_ok(status)) {
        atomic_fetch_add(&tally->good, 1);
    }
    if (status.code == STATUS_UNAVAILABLE) {
        atomic_fetch_add(&tally->unavailable, 1);
    }
    rpc_reply_free(reply);
    atomic_fetch_add(&tally->ended, 1);
}

static void wait_for(atomic_int *count, int want)
{
    for (int i = 0; i < 1000 && atomic_load(count) < want; i++) {
        clock_sleep_ms(10);
    }
    assert_int_equal(atomic_load(count), want);
}

/* Two workers and two places: of twelve sleepers four are served. */
static void more_calls_than_places_are_unavailable(void **state)
{
    (void)state;
    assert_ok(echo_say(echo.channel, "warm"));
    struct tally tally = {.ended = 0};
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 300;
    struct rpc_request request = echo_request("Say", &message);
    for (int i = 0; i < 12; i++) {
        rpc_start(echo.channel, &request, note_end, &tally);
    }
    wait_for(&tally.ended, 12);
    assert_int_equal(atomic_load(&tally.good), 4);
    assert_int_equal(atomic_load(&tally.unavailable), 8);
    assert_ok(echo_say(echo.channel, "room again"));
}

static void stop_lets_calls_in_progress_end(void **state)
{
    (void)state;
    assert_ok(echo_say(echo.channel, "warm"));
    struct tally tally = {.ended = 0};
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 300;
    struct rpc_request request = echo_request("Say", &message);
    for (int i = 0; i < 4; i++) {
        rpc_start(echo.channel, &request, note_end, &tally);
    }
    clock_sleep_ms(100);
    int64_t begun_ms = clock_monotonic_ms();
    rpc_server_stop(echo.server, 5000);
    assert_true(clock_monotonic_ms() - begun_ms < 2000);
    wait_for(&tally.ended, 4);
    assert_int_equal(atomic_load(&tally.good), 4);
    rpc_server_stop(echo.server, 0); /* Twice is harmless. */

    request.wait_for_ready = false;
    struct rpc_reply *reply = NULL;
    assert_status(rpc_call_wait(echo.channel, &request, &reply), STATUS_UNAVAILABLE);
}

static void stop_cancels_after_the_grace(void **state)
{
    (void)state;
    assert_ok(echo_say(echo.channel, "warm"));
    struct tally tally = {.ended = 0};
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 600;
    struct rpc_request request = echo_request("Say", &message);
    for (int i = 0; i < 3; i++) {
        rpc_start(echo.channel, &request, note_end, &tally);
    }
    clock_sleep_ms(100);
    rpc_server_stop(echo.server, 50);
    wait_for(&tally.ended, 3);
    assert_int_equal(atomic_load(&tally.good), 0);
}

static void a_port_in_use_is_refused(void **state)
{
    (void)state;
    struct rpc_server *server = NULL;
    assert_status(echo_serve(&echo, echo.target, 1, 1, &server), STATUS_UNAVAILABLE);
    assert_null(server);
}

/* The other server is the fixture's with one thing changed; the fixture's channel goes to it. */
static void replace_server(void)
{
    rpc_channel_free(echo.channel);
    rpc_client_free(echo.client);
    rpc_server_free(TAKE(echo.server));
    assert_ok(echo_serve(&echo, "127.0.0.1:0", 2, 2, &echo.server));
    snprintf(echo.target, sizeof(echo.target), "127.0.0.1:%d", rpc_server_port(echo.server));
    echo_connect(&echo, "frontend", "f1", &echo.client, &echo.channel);
}

static void a_longer_deadline_is_cut_to_the_servers(void **state)
{
    (void)state;
    echo.deadline_max_ms = 200;
    replace_server();
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 2500;
    struct rpc_request request = echo_request("Say", &message);
    struct rpc_reply *reply = NULL;
    int64_t begun_ms = clock_monotonic_ms();
    struct status status = rpc_call_wait(echo.channel, &request, &reply);
    assert_true(status.code == STATUS_UNKNOWN || status.code == STATUS_TIMEOUT);
    assert_true(clock_monotonic_ms() - begun_ms < 2000);
}

static struct status refuse_all(void *context, const struct rpc_peer *peer, const char *method)
{
    (void)context;
    assert_string_equal(peer->id, "f1");
    assert_string_equal(method, "/triad.test.Echo/Say");
    return FAIL(DENIED, "not in the registry");
}

static void the_registry_has_the_last_word(void **state)
{
    (void)state;
    echo.admit = refuse_all;
    replace_server();
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    struct rpc_request request = echo_request("Say", &message);
    struct rpc_reply *reply = NULL;
    assert_status(rpc_call_wait(echo.channel, &request, &reply), STATUS_DENIED);
    assert_int_equal(atomic_load(&echo.handled), 0);
}

static void a_row_without_a_method_is_refused(void **state)
{
    (void)state;
    static const struct rpc_method rows[] = {{.name = "Nope", .roles = 1}};
    struct rpc_service service = {
        .descriptor = &triad__test__echo__descriptor, .methods = rows, .count = 1};
    struct rpc_server_options options = {
        .address = "127.0.0.1:0",
        .tls = test_pki_files(echo.pki, "blobnode", "b1"),
        .workers = 1,
        .deadline_max_ms = 1000,
    };
    struct rpc_server *server = NULL;
    assert_status(rpc_server_start(&options, &service, 1, &server), STATUS_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_role_that_the_row_does_not_name_is_denied),
        TEST(a_certificate_from_the_wrong_ca_is_denied),
        TEST(a_method_without_a_row_is_unsupported),
        TEST(malformed_messages_are_invalid),
        TEST(the_role_is_checked_before_unpacking),
        TEST(junk_on_the_port_does_no_harm),
        TEST(more_calls_than_places_are_unavailable),
        TEST(stop_lets_calls_in_progress_end),
        TEST(stop_cancels_after_the_grace),
        TEST(a_port_in_use_is_refused),
        TEST(a_longer_deadline_is_cut_to_the_servers),
        TEST(the_registry_has_the_last_word),
        TEST(a_row_without_a_method_is_refused),
    };
    return cmocka_run_group_tests_name("rpc_server", tests, NULL, NULL);
}
