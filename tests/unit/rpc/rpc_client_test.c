/* A call brings its message and payload over and back, releases every slice exactly once, and
 * ends with the peer's own status. */

#include "lib/rpc/rpc_client.h"

#include "lib/base/clock.h"
#include "lib/telemetry/log.h"
#include "tests/unit/rpc/echo_fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct echo echo;

static int setup(void **state)
{
    echo_start(&echo, 4, 64);
    *state = &echo;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    echo_stop(&echo);
    return 0;
}

static void count_release(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* Releases come on any thread, possibly after the call. */
static void wait_for(atomic_int *count, int want)
{
    for (int i = 0; i < 500 && atomic_load(count) != want; i++) {
        clock_sleep_ms(10);
    }
    assert_int_equal(atomic_load(count), want);
}

static void check_round_trip(size_t size)
{
    uint8_t *data = malloc(size + 1);
    assert_non_null(data);
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)(i * 13 + 5);
        sum = sum * 31 + data[i];
    }
    atomic_int released = 0;
    size_t half = size / 2;
    struct rpc_slice slices[2] = {
        {.bytes = bytes_of(data, half), .release = count_release, .arg = &released},
        {.bytes = bytes_of(data + half, size - half), .release = count_release, .arg = &released},
    };
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.text = (char[]){"hello"};
    message.reply_size = (uint32_t)size;
    struct rpc_request request = echo_request("Say", &message);
    request.payload = (struct rpc_payload){.slices = slices, .count = 2};

    int before = atomic_load(&echo.released);
    struct rpc_reply *reply = NULL;
    assert_ok(rpc_call_wait(echo.channel, &request, &reply));
    const Triad__Test__SayReply *said = (const Triad__Test__SayReply *)reply->message;
    assert_string_equal(said->text, "hello");
    assert_string_equal(said->peer_id, "f1");
    assert_int_equal(said->payload_size, size);
    assert_int_equal(said->payload_sum, sum);
    assert_int_equal(reply->payload.size, size);
    if (size > 0) {
        uint8_t *back = malloc(size);
        assert_non_null(back);
        rpc_pieces_copy(&reply->payload, 0, back, size);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(back[i], (uint8_t)(i * 7));
        }
        rpc_pieces_copy(&reply->payload, size - 1, back, 1);
        assert_int_equal(back[0], (uint8_t)((size - 1) * 7));
        free(back);
        wait_for(&echo.released, before + 1);
    }
    rpc_reply_free(reply);
    wait_for(&released, 2);
    free(data);
}

static void payloads_of_all_sizes_go_both_ways(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 2, 127, 128, 8192, 65536 + 3, 1 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_round_trip(sizes[i]);
    }
}

static void every_status_arrives_as_it_was(void **state)
{
    (void)state;
    for (uint32_t code = STATUS_INVALID; code <= STATUS_INTERNAL; code++) {
        Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
        message.fail_code = code;
        message.reply_size = 100; /* Released though it is not sent. */
        struct rpc_request request = echo_request("Say", &message);
        struct rpc_reply *reply = NULL;
        int before = atomic_load(&echo.released);
        assert_status(rpc_call_wait(echo.channel, &request, &reply), code);
        assert_null(reply);
        wait_for(&echo.released, before + 1);
    }
}

static void capability_and_request_id_travel(void **state)
{
    (void)state;
    uint8_t capability[8192];
    for (size_t i = 0; i < sizeof(capability); i++) {
        capability[i] = (uint8_t)(i * 31);
    }
    const size_t sizes[] = {1, 100, 8192};
    for (size_t i = 0; i < 3; i++) {
        Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
        struct rpc_request request = echo_request("Say", &message);
        request.capability = bytes_of(capability, sizes[i]);
        log_set_request("req-7");
        struct rpc_reply *reply = NULL;
        assert_ok(rpc_call_wait(echo.channel, &request, &reply));
        log_set_request("");
        const Triad__Test__SayReply *said = (const Triad__Test__SayReply *)reply->message;
        assert_int_equal(said->capability.len, sizes[i]);
        assert_memory_equal(said->capability.data, capability, sizes[i]);
        assert_string_equal(said->request_id, "req-7");
        rpc_reply_free(reply);
    }
}

static void deadline_while_the_handler_sleeps_releases_once(void **state)
{
    (void)state;
    static uint8_t data[1 << 20];
    atomic_int released = 0;
    struct rpc_slice slice = {
        .bytes = BYTES_ARRAY(data), .release = count_release, .arg = &released};
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 600;
    struct rpc_request request = echo_request("Say", &message);
    request.payload = (struct rpc_payload){.slices = &slice, .count = 1};
    request.deadline_ms = clock_monotonic_ms() + 200;
    struct rpc_reply *reply = NULL;
    int64_t before_ms = clock_monotonic_ms();
    assert_status(rpc_call_wait(echo.channel, &request, &reply), STATUS_TIMEOUT);
    assert_true(clock_monotonic_ms() - before_ms < 550);
    wait_for(&released, 1);
    clock_sleep_ms(600);
    assert_int_equal(atomic_load(&released), 1);
}

static void message_above_the_limit_is_too_large(void **state)
{
    (void)state;
    static uint8_t data[ECHO_MESSAGE_MAX + 1];
    atomic_int released = 0;
    struct rpc_slice slice = {
        .bytes = BYTES_ARRAY(data), .release = count_release, .arg = &released};
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    struct rpc_request request = echo_request("Say", &message);
    request.payload = (struct rpc_payload){.slices = &slice, .count = 1};
    struct rpc_reply *reply = NULL;
    assert_status(rpc_call_wait(echo.channel, &request, &reply), STATUS_TOO_LARGE);
    wait_for(&released, 1);

    message.reply_size = ECHO_MESSAGE_MAX + 1;
    request = echo_request("Say", &message);
    assert_status(rpc_call_wait(echo.channel, &request, &reply), STATUS_TOO_LARGE);
    assert_ok(echo_say(echo.channel, "still there"));
}

static void too_many_slices_are_refused_and_released(void **state)
{
    (void)state;
    static struct rpc_slice slices[RPC_SLICES_MAX + 1];
    atomic_int released = 0;
    for (size_t i = 0; i <= RPC_SLICES_MAX; i++) {
        slices[i] = (struct rpc_slice){
            .bytes = bytes_text("abcdefgh"), .release = count_release, .arg = &released};
    }
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    struct rpc_request request = echo_request("Say", &message);
    request.payload = (struct rpc_payload){.slices = slices, .count = RPC_SLICES_MAX + 1};
    struct rpc_reply *reply = NULL;
    assert_status(rpc_call_wait(echo.channel, &request, &reply), STATUS_TOO_LARGE);
    wait_for(&released, RPC_SLICES_MAX + 1);
    request.payload.count = RPC_SLICES_MAX;
    assert_ok(rpc_call_wait(echo.channel, &request, &reply));
    rpc_reply_free(reply);
    wait_for(&released, 2 * RPC_SLICES_MAX + 1);
}

static void copied_slices_need_no_release(void **state)
{
    (void)state;
    char text[] = "on the stack";
    struct rpc_slice slice = {.bytes = bytes_text(text)};
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    struct rpc_request request = echo_request("Say", &message);
    request.payload = (struct rpc_payload){.slices = &slice, .count = 1};
    struct rpc_reply *reply = NULL;
    assert_ok(rpc_call_wait(echo.channel, &request, &reply));
    assert_int_equal(((const Triad__Test__SayReply *)reply->message)->payload_size, strlen(text));
    rpc_reply_free(reply);
}

/* Nobody listens on port 1 of loopback. */
static void no_connection_is_unavailable_at_once(void **state)
{
    (void)state;
    struct rpc_channel *channel = NULL;
    assert_ok(rpc_channel_open(
        echo.client, "127.0.0.1:1", "b1.blobnode.test", RPC_ROLE_BLOBNODE, &channel));
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    struct rpc_request request = echo_request("Say", &message);
    request.wait_for_ready = false;
    struct rpc_reply *reply = NULL;
    assert_status(rpc_call_wait(channel, &request, &reply), STATUS_UNAVAILABLE);
    assert_false(rpc_channel_is_up(channel));
    request.wait_for_ready = true;
    request.deadline_ms = clock_monotonic_ms() + 200;
    assert_status(rpc_call_wait(channel, &request, &reply), STATUS_TIMEOUT);
    rpc_channel_free(channel);
    assert_true(rpc_channel_is_up(echo.channel));
}

struct ended {
    atomic_int count;
    enum status_code code;
};

static void note_end(void *arg, struct status status, struct rpc_reply *reply)
{
    struct ended *ended = arg;
    ended->code = status.code;
    rpc_reply_free(reply);
    atomic_fetch_add(&ended->count, 1);
}

static void freeing_a_channel_cancels_its_calls(void **state)
{
    (void)state;
    struct rpc_client *client = NULL;
    struct rpc_channel *channel = NULL;
    echo_connect(&echo, "frontend", "f1", &client, &channel);
    assert_ok(echo_say(channel, "warm"));
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 500;
    struct rpc_request request = echo_request("Say", &message);
    struct ended ended = {.count = 0};
    rpc_start(channel, &request, note_end, &ended);
    clock_sleep_ms(50);
    rpc_channel_free(channel);
    rpc_client_free(client);
    assert_int_equal(atomic_load(&ended.count), 1);
    assert_int_equal(ended.code, STATUS_CANCELLED);
}

enum { THREADS = 4, CALLS = 200 };

static void *say_often(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        if (!status_ok(echo_say(echo.channel, "often"))) {
            return arg;
        }
    }
    return NULL;
}

static void many_threads_share_a_channel(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, say_often, &echo), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_of_all_sizes_go_both_ways),
        cmocka_unit_test(every_status_arrives_as_it_was),
        cmocka_unit_test(capability_and_request_id_travel),
        cmocka_unit_test(deadline_while_the_handler_sleeps_releases_once),
        cmocka_unit_test(message_above_the_limit_is_too_large),
        cmocka_unit_test(too_many_slices_are_refused_and_released),
        cmocka_unit_test(copied_slices_need_no_release),
        cmocka_unit_test(no_connection_is_unavailable_at_once),
        cmocka_unit_test(freeing_a_channel_cancels_its_calls),
        cmocka_unit_test(many_threads_share_a_channel),
    };
    return cmocka_run_group_tests_name("rpc_client", tests, setup, teardown);
}
