#include "tests/unit/rpc/echo_fixture.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"

#include <stdio.h>
#include <stdlib.h>

struct reply_buffer {
    struct echo *echo;
    uint8_t *data;
};

static void reply_buffer_release(void *arg)
{
    struct reply_buffer *buffer = arg;
    atomic_fetch_add(&buffer->echo->released, 1);
    free(buffer->data);
    free(buffer);
}

static struct status add_reply_payload(struct echo *echo, struct rpc_call *call, size_t size)
{
    struct reply_buffer *buffer = malloc(sizeof(*buffer));
    CHECK(buffer != NULL);
    *buffer = (struct reply_buffer){.echo = echo, .data = malloc(size + 1)};
    CHECK(buffer->data != NULL);
    for (size_t i = 0; i < size; i++) {
        buffer->data[i] = (uint8_t)(i * 7);
    }
    struct rpc_slice slice = {
        .bytes = bytes_of(buffer->data, size), .release = reply_buffer_release, .arg = buffer};
    return rpc_call_reply_slice(call, slice);
}

static struct status
say(void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *out)
{
    struct echo *echo = context;
    const Triad__Test__SayRequest *request = (const Triad__Test__SayRequest *)message;
    Triad__Test__SayReply *reply = (Triad__Test__SayReply *)out;
    struct arena *arena = rpc_call_arena(call);

    atomic_fetch_add(&echo->handled, 1);
    if (request->sleep_ms > 0) {
        clock_sleep_ms(request->sleep_ms);
    }
    if (request->reply_size > 0) {
        TRY(add_reply_payload(echo, call, request->reply_size));
    }
    if (request->fail_code != 0) {
        return (struct status){(enum status_code)request->fail_code, 0, "echo: asked to fail"};
    }
    const struct rpc_pieces *payload = rpc_call_payload(call);
    for (size_t i = 0; i < payload->count; i++) {
        for (size_t j = 0; j < payload->pieces[i].size; j++) {
            reply->payload_sum = reply->payload_sum * 31 + payload->pieces[i].data[j];
        }
    }
    struct bytes capability = rpc_call_capability(call);
    capability = arena_copy(arena, capability);
    reply->text = arena_text(arena, bytes_text(request->text));
    reply->payload_size = payload->size;
    reply->peer_id = arena_text(arena, bytes_text(rpc_call_peer(call)->id));
    reply->capability.len = capability.size;
    reply->capability.data = (uint8_t *)(uintptr_t)capability.data;
    reply->request_id = arena_text(arena, bytes_text(log_request()));
    return OK;
}

static void keep_static(void *arg)
{
    (void)arg;
}

static struct status
skim(void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *out)
{
    const Triad__Test__SayRequest *request = (const Triad__Test__SayRequest *)message;
    static const uint8_t zeros[1 << 20];
    (void)context;
    ((Triad__Test__SayReply *)out)->payload_size = rpc_call_payload(call)->size;
    if (request->reply_size == 0) {
        return OK;
    }
    CHECK(request->reply_size <= sizeof(zeros));
    struct rpc_slice slice = {
        .bytes = bytes_of(zeros, request->reply_size), .release = keep_static, .arg = NULL};
    return rpc_call_reply_slice(call, slice);
}

static const struct rpc_method methods[] = {
    {.name = "Skim", .roles = RPC_ROLE_FRONTEND, .handler = skim},
    {.name = "Say", .roles = RPC_ROLE_FRONTEND | RPC_ROLE_STEWARD, .handler = say},
    {.name = "Operate", .roles = RPC_ROLE_OPERATOR, .handler = say},
};

struct status echo_serve(
    struct echo *echo, const char *address, unsigned workers, unsigned queue_max,
    struct rpc_server **ret_server)
{
    echo->service = (struct rpc_service){
        .descriptor = &triad__test__echo__descriptor,
        .methods = methods,
        .count = sizeof(methods) / sizeof(methods[0]),
        .context = echo,
    };
    struct rpc_server_options options = {
        .address = address,
        .tls = test_pki_files(echo->pki, "blobnode", "b1"),
        .workers = workers,
        .queue_max = queue_max,
        .message_max = ECHO_MESSAGE_MAX,
        .arena_max = ECHO_ARENA_MAX,
        .deadline_max_ms = echo->deadline_max_ms > 0 ? echo->deadline_max_ms : 20000,
        .admit = echo->admit,
        .admit_context = echo,
    };
    return rpc_server_start(&options, &echo->service, 1, ret_server);
}

void echo_connect(
    struct echo *echo, const char *role, const char *id, struct rpc_client **ret_client,
    struct rpc_channel **ret_channel)
{
    struct rpc_client_options options = {
        .tls = test_pki_files(echo->pki, role, id),
        .message_max = ECHO_MESSAGE_MAX,
        .arena_max = ECHO_ARENA_MAX,
    };
    assert_ok(rpc_client_start(&options, ret_client));
    assert_ok(rpc_channel_open(
        *ret_client, echo->target, "b1.blobnode.test", RPC_ROLE_BLOBNODE, ret_channel));
}

void echo_start(struct echo *echo, unsigned workers, unsigned queue_max)
{
    *echo = (struct echo){.pki = NULL};
    assert_ok(test_pki_new("c1", &echo->pki));
    assert_ok(test_pki_issue(echo->pki, "blobnode", "b1", NULL));
    assert_ok(test_pki_issue(echo->pki, "frontend", "f1", NULL));
    assert_ok(echo_serve(echo, "127.0.0.1:0", workers, queue_max, &echo->server));
    snprintf(echo->target, sizeof(echo->target), "127.0.0.1:%d", rpc_server_port(echo->server));
    echo_connect(echo, "frontend", "f1", &echo->client, &echo->channel);
}

void echo_stop(struct echo *echo)
{
    rpc_channel_free(echo->channel);
    rpc_client_free(echo->client);
    rpc_server_free(echo->server);
    test_pki_free(echo->pki);
}

struct rpc_request echo_request(const char *method, const Triad__Test__SayRequest *message)
{
    return (struct rpc_request){
        .service = &triad__test__echo__descriptor,
        .method = method,
        .message = &message->base,
        .deadline_ms = clock_monotonic_ms() + 10000,
        .wait_for_ready = true,
    };
}

struct status echo_say(struct rpc_channel *channel, const char *text)
{
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.text = (char *)(uintptr_t)text;
    struct rpc_request request = echo_request("Say", &message);
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(rpc_call_wait(channel, &request, &reply));
    const Triad__Test__SayReply *said = (const Triad__Test__SayReply *)reply->message;
    assert_string_equal(said->text, text);
    return OK;
}
