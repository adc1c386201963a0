#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/rpc/rpc_client_state.h"
#include "lib/rpc/rpc_codec.h"
#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_metadata.h"
#include "lib/telemetry/log.h"

#include <stdio.h>
#include <stdlib.h>

#include <grpc/support/time.h>

enum { PATH_SIZE = 256 };

/* A call in flight: one batch, whose tag it is. */
struct rpc_outgoing {
    struct rpc_outgoing *next; /* Among the client's calls. */
    struct rpc_outgoing *previous;
    struct rpc_client *client;
    const struct rpc_channel *channel; /* Compared only; it may be gone. */
    struct rpc_link *link;             /* A reference. */
    const ProtobufCMessageDescriptor *output;
    rpc_done_fn *done;
    void *arg;
    bool is_cancelled; /* By us. */
    grpc_call *call;   /* Owned, as what follows. */
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *reply;
    grpc_slice details;
    grpc_status_code code;
};

struct rpc_reply_memory {
    struct rpc_reply reply;
    struct arena arena;
    grpc_byte_buffer *bytes; /* Owned. */
};

void rpc_reply_free(struct rpc_reply *reply)
{
    if (reply == NULL) {
        return;
    }
    struct rpc_reply_memory *memory = reply->memory;
    arena_done(&memory->arena);
    if (memory->bytes != NULL) {
        grpc_byte_buffer_destroy(memory->bytes);
    }
    free(memory);
}

static void outgoing_free(struct rpc_outgoing *outgoing)
{
    if (outgoing->call != NULL) {
        grpc_call_unref(outgoing->call);
    }
    if (outgoing->reply != NULL) {
        grpc_byte_buffer_destroy(outgoing->reply);
    }
    grpc_metadata_array_destroy(&outgoing->initial);
    grpc_metadata_array_destroy(&outgoing->trailing);
    grpc_slice_unref(outgoing->details);
    if (outgoing->link != NULL) {
        rpc_link_unref(outgoing->link);
    }
    free(outgoing);
}

static grpc_call *
make_call(struct rpc_client *client, struct rpc_link *link, const struct rpc_request *request)
{
    char path[PATH_SIZE];
    int size = snprintf(path, sizeof(path), "/%s/%s", request->service->name, request->method);
    CHECK(size > 0 && size < PATH_SIZE);
    gpr_timespec deadline = gpr_time_add(
        gpr_now(GPR_CLOCK_MONOTONIC),
        gpr_time_from_millis(request->deadline_ms - clock_monotonic_ms(), GPR_TIMESPAN));
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_call *call = grpc_channel_create_call(
        link->channel, NULL, 0, client->queue, method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    return call;
}

/* False while the client stops. */
static bool join(struct rpc_outgoing *outgoing)
{
    struct rpc_client *client = outgoing->client;
    LOCKED(&client->mutex);
    if (client->is_stopping) {
        return false;
    }
    outgoing->next = client->calls;
    if (client->calls != NULL) {
        client->calls->previous = outgoing;
    }
    client->calls = outgoing;
    client->calls_count++;
    return true;
}

static void leave(struct rpc_outgoing *outgoing)
{
    struct rpc_client *client = outgoing->client;
    LOCKED(&client->mutex);
    if (client->calls == outgoing) {
        client->calls = outgoing->next;
    }
    if (outgoing->previous != NULL) {
        outgoing->previous->next = outgoing->next;
    }
    if (outgoing->next != NULL) {
        outgoing->next->previous = outgoing->previous;
    }
}

static void start_batch(
    struct rpc_outgoing *outgoing, const struct rpc_request *request, grpc_byte_buffer *message)
{
    grpc_metadata metadata[RPC_METADATA_SENT_MAX];
    size_t metadata_count = rpc_metadata_make(request->capability, log_request(), metadata);

    grpc_op ops[6];
    memset(ops, 0, sizeof(ops));
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = request->wait_for_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY |
                                                 GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
                                           : 0;
    ops[0].data.send_initial_metadata.count = metadata_count;
    ops[0].data.send_initial_metadata.metadata = metadata;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = message;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &outgoing->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &outgoing->reply;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &outgoing->trailing;
    ops[5].data.recv_status_on_client.status = &outgoing->code;
    ops[5].data.recv_status_on_client.status_details = &outgoing->details;
    CHECK(grpc_call_start_batch(outgoing->call, ops, 6, outgoing, NULL) == GRPC_CALL_OK);

    for (size_t i = 0; i < metadata_count; i++) {
        grpc_slice_unref(metadata[i].value);
    }
    grpc_byte_buffer_destroy(message);
}

static struct status begin(
    struct rpc_channel *channel, const struct rpc_request *request, grpc_slice_buffer *payload,
    rpc_done_fn *done, void *arg)
{
    const ProtobufCMethodDescriptor *method =
        protobuf_c_service_descriptor_get_method_by_name(request->service, request->method);
    CHECK(method != NULL && request->message->descriptor == method->input);
    if (request->payload.count > RPC_SLICES_MAX || request->capability.size > RPC_CAPABILITY_MAX) {
        return FAIL(TOO_LARGE, "call with too many slices or a long capability");
    }

    struct rpc_outgoing *outgoing = calloc(1, sizeof(*outgoing));
    if (outgoing == NULL) {
        return FAIL(NO_MEMORY, "call");
    }
    outgoing->client = channel->client;
    outgoing->channel = channel;
    outgoing->output = method->output;
    outgoing->done = done;
    outgoing->arg = arg;
    outgoing->details = grpc_empty_slice();
    grpc_metadata_array_init(&outgoing->initial);
    grpc_metadata_array_init(&outgoing->trailing);

    grpc_byte_buffer *message = NULL;
    struct status status = rpc_message_pack(request->message, payload, &message);
    if (!status_ok(status)) {
        outgoing_free(outgoing);
        return status;
    }
    outgoing->link = rpc_channel_link(channel);
    if (outgoing->link != NULL) {
        outgoing->call = make_call(channel->client, outgoing->link, request);
    }
    if (outgoing->call == NULL || !join(outgoing)) {
        grpc_byte_buffer_destroy(message);
        outgoing_free(outgoing);
        return FAIL(CANCELLED, "client is going down");
    }
    start_batch(outgoing, request, message);
    return OK;
}

void rpc_start(
    struct rpc_channel *channel, const struct rpc_request *request, rpc_done_fn *done, void *arg)
{
    grpc_slice_buffer payload;
    grpc_slice_buffer_init(&payload);
    for (size_t i = 0; i < request->payload.count; i++) {
        rpc_message_add_slice(&payload, request->payload.slices[i]);
    }
    struct status status = begin(channel, request, &payload, done, arg);
    grpc_slice_buffer_destroy(&payload);
    if (!status_ok(status)) {
        done(arg, status, NULL);
    }
}

void rpc_request_cancel_all(struct rpc_client *client, const struct rpc_channel *channel)
{
    for (struct rpc_outgoing *call = client->calls; call != NULL; call = call->next) {
        if (channel == NULL || call->channel == channel) {
            call->is_cancelled = true;
            call->channel = NULL; /* Its address may come again. */
            grpc_call_cancel(call->call, NULL);
        }
    }
}

/* A reply that cannot be read leaves the outcome unknown: the peer had said OK. */
static struct status read_reply(struct rpc_outgoing *outgoing, struct rpc_reply **ret_reply)
{
    if (outgoing->reply == NULL) {
        return FAIL(UNKNOWN, "answer without a message");
    }
    struct rpc_reply_memory *memory = calloc(1, sizeof(*memory));
    if (memory == NULL) {
        return FAIL(NO_MEMORY, "reply");
    }
    arena_init(&memory->arena, outgoing->client->arena_max);
    arena_wipe(&memory->arena); /* Keys travel in messages. */
    memory->bytes = TAKE(outgoing->reply);
    memory->reply.memory = memory;
    ProtobufCMessage *message = NULL;
    struct status status = rpc_message_unpack(
        memory->bytes, outgoing->output, &memory->arena, &message, &memory->reply.payload);
    if (!status_ok(status)) {
        rpc_reply_free(&memory->reply);
        return status.code == STATUS_INVALID ? FAIL(UNKNOWN, "answer cannot be read") : status;
    }
    memory->reply.message = message;
    *ret_reply = &memory->reply;
    return OK;
}

static struct status outcome(struct rpc_outgoing *outgoing, struct rpc_reply **ret_reply)
{
    struct bytes details =
        bytes_of(GRPC_SLICE_START_PTR(outgoing->details), GRPC_SLICE_LENGTH(outgoing->details));
    struct status status = rpc_codec_status(outgoing->code, details);
    if (!status_ok(status)) {
        bool is_named = bytes_starts_with(details, bytes_text("CANCELLED:"));
        if (status.code == STATUS_CANCELLED && !outgoing->is_cancelled && !is_named) {
            return FAIL(UNKNOWN, "call was reset by the peer");
        }
        return status;
    }
    return read_reply(outgoing, ret_reply);
}

void rpc_request_ended(void *tag)
{
    struct rpc_outgoing *outgoing = tag;
    struct rpc_client *client = outgoing->client;
    rpc_done_fn *done = outgoing->done;
    void *arg = outgoing->arg;

    leave(outgoing);
    struct rpc_reply *reply = NULL;
    struct status status = outcome(outgoing, &reply);
    outgoing_free(outgoing);
    done(arg, status, reply);

    LOCKED(&client->mutex);
    client->calls_count--;
    if (client->calls_count == 0) {
        pthread_cond_broadcast(&client->ended);
    }
}

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool is_done;
    struct status status;
    struct rpc_reply *reply;
};

static void wake(void *arg, struct status status, struct rpc_reply *reply)
{
    struct waiter *waiter = arg;
    LOCKED(&waiter->mutex);
    waiter->is_done = true;
    waiter->status = status;
    waiter->reply = reply;
    pthread_cond_signal(&waiter->ended);
}

struct status rpc_call_wait(
    struct rpc_channel *channel, const struct rpc_request *request, struct rpc_reply **ret_reply)
{
    CHECK(!pthread_equal(pthread_self(), channel->client->poller.thread));
    struct waiter waiter = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    rpc_start(channel, request, wake, &waiter);

    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.is_done) {
        pthread_cond_wait(&waiter.ended, &waiter.mutex);
    }
    pthread_mutex_unlock(&waiter.mutex);
    pthread_cond_destroy(&waiter.ended);
    pthread_mutex_destroy(&waiter.mutex);
    TRY(waiter.status);
    *ret_reply = waiter.reply;
    return OK;
}
