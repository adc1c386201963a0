#pragma once

/*
 * The client side: channels to peers over mutual TLS 1.3, calls that return at once.
 *
 * One client a process: one polling thread, on which done functions run; they must not block, but
 * may start calls. Every call has a deadline. No retries: a write's outcome is the caller's to
 * resolve. A failed call's status is the peer's where it answered; UNAVAILABLE where the request
 * certainly was not processed or could not connect; TIMEOUT or UNKNOWN where it may have been.
 */

#include "lib/base/cleanup.h"
#include "lib/rpc/rpc_identity.h"
#include "lib/rpc/rpc_payload.h"
#include "lib/rpc/rpc_server.h"

struct rpc_client;
struct rpc_channel;

struct rpc_client_options {
    struct rpc_tls_files tls;
    size_t message_max; /* Received message, bytes. */
    size_t arena_max;   /* Of an unpacked reply. */
};

MUST_CHECK struct status
rpc_client_start(const struct rpc_client_options *options, struct rpc_client **ret_client);

/* Waits for calls to end (they are cancelled), stops the thread. Channels are freed before. */
void rpc_client_free(struct rpc_client *client);

/* SHA-256 of our own DER certificate: the cnf of tokens and grants that we ask for. Read anew when
 * the channel credentials are. */
void rpc_client_cert_sha256(const struct rpc_client *client, uint8_t ret[32]);

/*
 * A channel to host:port whose certificate must carry the DNS name tls_name and the role (and a
 * SAN URI of our cluster). Connects in the background, again and again. Two channels to one target
 * are two connections. Every 60 s, when our certificate files changed, new calls use a new
 * connection with the new certificate.
 */
MUST_CHECK struct status rpc_channel_open(
    struct rpc_client *client, const char *target, const char *tls_name, enum rpc_role role,
    struct rpc_channel **ret_channel);
void rpc_channel_free(struct rpc_channel *channel);

/* Cancel the calls in flight: what gRPC holds of their payloads comes back. They end CANCELLED. */
void rpc_channel_cancel(struct rpc_channel *channel);

/* True unless the last connection attempt failed and none stands. */
bool rpc_channel_is_up(const struct rpc_channel *channel);

struct rpc_reply {
    const ProtobufCMessage *message; /* Of the method's output type; NULL if the call failed. */
    struct rpc_pieces payload;
    struct rpc_reply_memory *memory; /* Owned by the reply. */
};
void rpc_reply_free(struct rpc_reply *reply);

struct rpc_request {
    const ProtobufCServiceDescriptor *service;
    const char *method;              /* As in the .proto. */
    const ProtobufCMessage *message; /* Packed before the start function returns. */
    struct bytes capability;         /* Sent as triad-cap-bin; may be empty. */
    struct rpc_payload payload;
    int64_t deadline_ms; /* clock_monotonic_ms. */
    bool wait_for_ready; /* Wait for a connection until the deadline instead of failing at once. */
};

/* The done function owns the reply (NULL if the call failed) and frees it, on any thread. */
typedef void rpc_done_fn(void *arg, struct status status, struct rpc_reply *reply);

/* Start a call. done runs exactly once, also if starting failed (then on this thread, before the
 * return). */
void rpc_start(
    struct rpc_channel *channel, const struct rpc_request *request, rpc_done_fn *done, void *arg);

/* Start a call and wait for its end. */
MUST_CHECK struct status rpc_call_wait(
    struct rpc_channel *channel, const struct rpc_request *request, struct rpc_reply **ret_reply);

DEFINE_OWNED(rpc_client)
DEFINE_OWNED(rpc_channel)
DEFINE_OWNED(rpc_reply)
