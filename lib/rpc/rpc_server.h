#pragma once

/*
 * The server side of a daemon: services registered from protobuf-c descriptors, mutual TLS 1.3.
 *
 * A polling thread drives gRPC and never blocks; each call runs from start to end in one of
 * workers threads, so a handler may block and reads straight down. Before the request is unpacked
 * the caller's role is checked against the method's table row. A method without a row is refused.
 * Certificates are read anew at each handshake when the files changed. Every failed request is
 * logged once here.
 */

#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/rpc/rpc_identity.h"
#include "lib/rpc/rpc_payload.h"

#include <protobuf-c/protobuf-c.h>

struct rpc_server;
struct rpc_call;

/* request is unpacked, reply initialised (its memory: the call's arena). A status other than OK
 * is what the peer gets, without the reply. */
typedef struct status rpc_handler_fn(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);

struct rpc_method {
    const char *name; /* As in the .proto. */
    unsigned roles;   /* Roles that may call it, or-ed. */
    rpc_handler_fn *handler;
};

struct rpc_service {
    const ProtobufCServiceDescriptor *descriptor;
    const struct rpc_method *methods;
    size_t count;
    void *context; /* Outlives the server. */
};

struct rpc_tls_files {
    const char *ca_file;   /* The services and operators CA certificates, or root and both. */
    const char *cert_file; /* Leaf, then its issuer. */
    const char *key_file;
    const char *cluster;
};

struct rpc_server_options {
    const char *address; /* "127.0.0.1:0" takes any port. */
    struct rpc_tls_files tls;
    unsigned workers;        /* Threads that run handlers. */
    unsigned queue_max;      /* Calls received or waiting for a worker; more get UNAVAILABLE. */
    size_t message_max;      /* Received message, bytes. */
    size_t arena_max;        /* Per call: unpacked request and reply. */
    int64_t deadline_max_ms; /* A call without a deadline, or a longer one, gets this. */
    /* Asked for each call after the role check and before unpacking, by a worker; may be NULL: the
     * key store's registry. method is the full name, "/package.Service/Method". */
    struct status (*admit)(void *context, const struct rpc_peer *peer, const char *method);
    void *admit_context;
};

MUST_CHECK struct status rpc_server_start(
    const struct rpc_server_options *options, const struct rpc_service *services, size_t count,
    struct rpc_server **ret_server);

/* The port bound. */
int rpc_server_port(const struct rpc_server *server);

/* Refuse new calls, let those in progress end, stop the threads. After grace_ms calls are
 * cancelled: rpc_call_is_cancelled() is true, and handlers that still run are waited for. */
void rpc_server_stop(struct rpc_server *server, int64_t grace_ms);

void rpc_server_free(struct rpc_server *server);

/* Of the call that runs in this worker. */
const struct rpc_peer *rpc_call_peer(const struct rpc_call *call);
struct arena *rpc_call_arena(struct rpc_call *call);
int64_t rpc_call_deadline_ms(const struct rpc_call *call); /* clock_monotonic_ms. */
bool rpc_call_is_cancelled(const struct rpc_call *call);

/* Binary metadata "triad-cap-bin": a token or a grant; empty if absent. */
struct bytes rpc_call_capability(const struct rpc_call *call);

/* Bulk bytes of the request; count 0 if none. */
const struct rpc_pieces *rpc_call_payload(const struct rpc_call *call);

/* Bulk bytes of the reply: appended one slice at a time; released also when the call, or this
 * function, fails. */
MUST_CHECK struct status rpc_call_reply_slice(struct rpc_call *call, struct rpc_slice slice);

DEFINE_OWNED(rpc_server)
