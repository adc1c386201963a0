#include "lib/rpc/rpc_call.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/rpc/rpc_codec.h"
#include "lib/rpc/rpc_metadata.h"
#include "lib/rpc/rpc_workers.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

enum { LOGGED_METHOD_MAX = 128 };

static void link_call(struct rpc_call *call)
{
    struct rpc_call_host *host = call->host;
    call->next = host->calls;
    if (host->calls != NULL) {
        host->calls->previous = call;
    }
    host->calls = call;
}

static void unlink_call(struct rpc_call *call)
{
    if (call->host->calls == call) {
        call->host->calls = call->next;
    }
    if (call->previous != NULL) {
        call->previous->next = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
}

static void call_free(struct rpc_call *call)
{
    unlink_call(call);
    call->host->alive--;
    if (call->request != NULL) {
        grpc_byte_buffer_destroy(call->request);
    }
    arena_done(&call->arena);
    grpc_slice_buffer_destroy(&call->reply_payload);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_details_destroy(&call->details);
    if (call->call != NULL) {
        grpc_call_unref(call->call);
    }
    free(call);
}

static struct bytes method_bytes(const struct rpc_call *call)
{
    return bytes_of(
        GRPC_SLICE_START_PTR(call->details.method), GRPC_SLICE_LENGTH(call->details.method));
}

/* Once for each failed request. What clients probe for is no news. */
static void log_failure(const struct rpc_call *call, struct status status)
{
    bool is_usual = status.code == STATUS_NOT_FOUND || status.code == STATUS_CONFLICT ||
                    status.code == STATUS_EXISTS || status.code == STATUS_STALE;
    struct bytes method = method_bytes(call);
    method.size = method.size < LOGGED_METHOD_MAX ? method.size : LOGGED_METHOD_MAX;
    char *address = call->peer.uri[0] == '\0' ? grpc_call_get_peer(call->call) : NULL;
    log_event(
        is_usual ? LOG_DEBUG : LOG_WARN, "request failed", LOG_BYTES("method", method),
        LOG_TEXT("peer", address == NULL ? call->peer.uri : address), LOG_STATUS(status));
    gpr_free(address);
}

/*
 * The last batch of a call: initial metadata, the reply if status is OK, the status. The polling
 * thread may free the call as soon as the batch is started.
 */
static void send_answer(struct rpc_call *call, struct status status, grpc_byte_buffer *reply)
{
    char details[RPC_DETAILS_MAX];
    rpc_codec_details(status.code, details);
    grpc_slice text = grpc_slice_from_copied_string(status_ok(status) ? "" : details);

    grpc_op ops[3];
    size_t count = 0;
    memset(ops, 0, sizeof(ops));
    ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (status_ok(status)) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = reply;
    }
    ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[count].data.send_status_from_server.status = rpc_codec_code(status.code);
    ops[count++].data.send_status_from_server.status_details = &text;
    CHECK(grpc_call_start_batch(call->call, ops, count, &call->sent, NULL) == GRPC_CALL_OK);
    grpc_slice_unref(text);
    if (reply != NULL) {
        grpc_byte_buffer_destroy(reply);
    }
}

static void refuse(struct rpc_call *call, struct status status)
{
    CHECK(!status_ok(status));
    log_set_request(call->request_id);
    log_failure(call, status);
    log_set_request("");
    send_answer(call, status, NULL);
}

static void start_close(struct rpc_call *call)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &call->close_flag;
    CHECK(grpc_call_start_batch(call->call, &op, 1, &call->closed, NULL) == GRPC_CALL_OK);
}

static void start_receive(struct rpc_call *call)
{
    grpc_op op;
    memset(&op, 0, sizeof(op));
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &call->request;
    CHECK(grpc_call_start_batch(call->call, &op, 1, &call->received, NULL) == GRPC_CALL_OK);
}

static int64_t deadline_of(const struct rpc_call *call)
{
    gpr_timespec asked = call->details.deadline;
    gpr_timespec left = gpr_time_sub(asked, gpr_now(asked.clock_type));
    int64_t left_ms = gpr_time_to_millis(left);
    int64_t max_ms = call->host->options->deadline_max_ms;
    return clock_monotonic_ms() + (left_ms < max_ms ? left_ms : max_ms);
}

/* May this call come in? Nothing of its message was read yet. */
static struct status check_arrival(struct rpc_call *call)
{
    struct rpc_call_host *host = call->host;
    call->deadline_ms = deadline_of(call);
    rpc_metadata_request_id(&call->metadata, call->request_id);
    call->route = rpc_route_find(host->routes, method_bytes(call));
    if (call->route == NULL) {
        return FAIL(UNSUPPORTED, "unknown method");
    }
    TRY(rpc_peer_cache_get(host->peers, call->call, &call->peer));
    if ((call->route->method->roles & (unsigned)call->peer.role) == 0) {
        return FAIL(DENIED, "role may not call this method");
    }
    return rpc_metadata_capability(&call->metadata, &call->capability);
}

static bool admit(struct rpc_call_host *host)
{
    unsigned max = host->options->workers + host->options->queue_max;
    if (atomic_fetch_add(&host->admitted, 1) < max) {
        return true;
    }
    atomic_fetch_sub(&host->admitted, 1);
    return false;
}

static void on_arrived(void *arg, bool is_ok)
{
    struct rpc_call *call = arg;
    struct rpc_call_host *host = call->host;
    host->armed--;
    if (!is_ok) { /* The server is going down. */
        call_free(call);
        return;
    }
    link_call(call);
    rpc_call_arm(host);
    start_close(call);

    struct status status = check_arrival(call);
    if (!status_ok(status)) {
        refuse(call, status);
        return;
    }
    if (!admit(host)) {
        refuse(call, FAIL(UNAVAILABLE, "too many calls wait for a worker"));
        return;
    }
    start_receive(call);
}

static void on_received(void *arg, bool is_ok)
{
    struct rpc_call *call = arg;
    if (is_ok && call->request != NULL) {
        rpc_workers_push(call->host->workers, call);
        return;
    }
    atomic_fetch_sub(&call->host->admitted, 1);
    if (atomic_load(&call->is_cancelled)) {
        refuse(call, FAIL(CANCELLED, "call ended before its message came"));
        return;
    }
    refuse(call, FAIL(INVALID, "call without a message, or one above the limit"));
}

static void on_sent(void *arg, bool is_ok)
{
    struct rpc_call *call = arg;
    (void)is_ok; /* A peer that went away does not get its answer; nothing is left to do. */
    call->is_sent = true;
    if (call->is_closed) {
        call_free(call);
    }
}

static void on_closed(void *arg, bool is_ok)
{
    struct rpc_call *call = arg;
    (void)is_ok; /* Always; close_flag tells. */
    call->is_closed = true;
    if (call->close_flag != 0) {
        atomic_store(&call->is_cancelled, true);
    }
    if (call->is_sent) {
        call_free(call);
    }
}

void rpc_call_arm(struct rpc_call_host *host)
{
    struct rpc_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return;
    }
    call->host = host;
    call->arrived = (struct rpc_tag){.fn = on_arrived, .arg = call};
    call->received = (struct rpc_tag){.fn = on_received, .arg = call};
    call->sent = (struct rpc_tag){.fn = on_sent, .arg = call};
    call->closed = (struct rpc_tag){.fn = on_closed, .arg = call};
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    grpc_slice_buffer_init(&call->reply_payload);
    arena_init(&call->arena, host->options->arena_max);
    arena_wipe(&call->arena); /* Keys travel in messages. */
    host->armed++;
    host->alive++;
    CHECK(
        grpc_server_request_call(
            host->server, &call->call, &call->details, &call->metadata, host->queue, host->queue,
            &call->arrived) == GRPC_CALL_OK);
}

void rpc_call_expire(struct rpc_call_host *host, int64_t now_ms)
{
    for (struct rpc_call *call = host->calls; call != NULL; call = call->next) {
        if (!call->is_overdue && now_ms > call->deadline_ms) {
            call->is_overdue = true;
            grpc_call_cancel_with_status(
                call->call, GRPC_STATUS_DEADLINE_EXCEEDED, "deadline", NULL);
        }
    }
}

static struct status handle(struct rpc_call *call, grpc_byte_buffer **ret_reply)
{
    const struct rpc_server_options *options = call->host->options;
    const struct rpc_route *route = call->route;
    if (rpc_call_is_cancelled(call)) {
        return FAIL(CANCELLED, "call ended before it was its turn");
    }
    if (clock_monotonic_ms() >= call->deadline_ms) {
        return FAIL(TIMEOUT, "deadline passed before it was the call's turn");
    }
    if (options->admit != NULL) {
        TRY(options->admit(options->admit_context, &call->peer, route->path));
    }

    ProtobufCMessage *request = NULL;
    TRY(rpc_message_unpack(
        call->request, route->descriptor->input, &call->arena, &request, &call->payload));
    const ProtobufCMessageDescriptor *output = route->descriptor->output;
    ProtobufCMessage *reply = arena_zalloc(&call->arena, 1, output->sizeof_message);
    if (reply == NULL) {
        return FAIL(NO_MEMORY, "reply");
    }
    output->message_init(reply);
    TRY(route->method->handler(route->context, call, request, reply));
    return rpc_message_pack(reply, &call->reply_payload, ret_reply);
}

void rpc_call_run(struct rpc_call *call)
{
    grpc_byte_buffer *reply = NULL;
    log_set_request(call->request_id);
    struct status status = handle(call, &reply);
    if (!status_ok(status)) {
        log_failure(call, status);
    }
    log_set_request("");

    /* Memory goes before the place of the call is given to another. */
    call->payload = (struct rpc_pieces){.count = 0};
    arena_done(&call->arena);
    grpc_byte_buffer_destroy(TAKE(call->request));
    grpc_slice_buffer_reset_and_unref(&call->reply_payload);
    atomic_fetch_sub(&call->host->admitted, 1);
    send_answer(call, status, reply);
}

const struct rpc_peer *rpc_call_peer(const struct rpc_call *call)
{
    return &call->peer;
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

int64_t rpc_call_deadline_ms(const struct rpc_call *call)
{
    return call->deadline_ms;
}

bool rpc_call_is_cancelled(const struct rpc_call *call)
{
    return atomic_load(&call->is_cancelled);
}

struct bytes rpc_call_capability(const struct rpc_call *call)
{
    return call->capability;
}

const struct rpc_pieces *rpc_call_payload(const struct rpc_call *call)
{
    return &call->payload;
}

struct status rpc_call_reply_slice(struct rpc_call *call, struct rpc_slice slice)
{
    if (call->reply_payload.count >= RPC_SLICES_MAX) {
        if (slice.release != NULL) {
            slice.release(slice.arg);
        }
        return FAIL(TOO_LARGE, "too many slices in a reply");
    }
    rpc_message_add_slice(&call->reply_payload, slice);
    return OK;
}
