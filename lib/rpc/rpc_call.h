#pragma once

/*
 * One call on the server, from its arrival to its end. Internal to lib/rpc.
 *
 *     armed --arrived--> receiving --received--> waiting --worker--> running --> sending --> gone
 *                 \__ refused (unknown method, wrong role, too many) _____________/
 *
 * The polling thread owns a call but for waiting and running, when a worker does. A call is gone
 * when both tags came: its answer was sent, and gRPC closed it.
 */

#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_peer_cache.h"
#include "lib/rpc/rpc_route.h"
#include "lib/rpc/rpc_server.h"

#include <stdatomic.h>

#include <grpc/grpc.h>

/* What the calls of a server share; but for admitted, only the polling thread uses it. */
struct rpc_call_host {
    grpc_server *server; /* Outlives the calls, as all here. */
    grpc_completion_queue *queue;
    struct rpc_routes *routes;
    struct rpc_peer_cache *peers;
    struct rpc_workers *workers;
    const struct rpc_server_options *options;
    atomic_uint admitted; /* Calls receiving, waiting or running. */
    unsigned armed;
    unsigned alive;         /* Armed ones and all others. */
    struct rpc_call *calls; /* Arrived ones. */
};

/* A completion: fn(arg) runs on the polling thread. */
struct rpc_tag {
    void (*fn)(void *arg, bool is_ok);
    void *arg;
};

enum { RPC_REQUEST_ID_MAX = 31 };

struct rpc_call {
    struct rpc_call_host *host;
    struct rpc_call *next; /* Among the host's calls. */
    struct rpc_call *previous;
    struct rpc_call *next_waiting; /* For a worker. */
    grpc_call *call;               /* Owned, as all gRPC's here. */
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *request;
    struct rpc_tag arrived;
    struct rpc_tag received;
    struct rpc_tag sent;
    struct rpc_tag closed;
    int close_flag; /* Written by gRPC. */
    bool is_sent;
    bool is_closed;
    bool is_overdue;
    atomic_bool is_cancelled;

    const struct rpc_route *route; /* NULL if the method is unknown. */
    struct rpc_peer peer;          /* Empty URI if refused. */
    int64_t deadline_ms;
    struct bytes capability; /* In metadata. */
    char request_id[RPC_REQUEST_ID_MAX + 1];
    struct arena arena;
    struct rpc_pieces payload;
    grpc_slice_buffer reply_payload;
};

/* Ask gRPC for the next call; without memory it is left to the next tick. */
void rpc_call_arm(struct rpc_call_host *host);

/* In a worker: check, unpack, handle, answer. The call may be gone at the return. */
void rpc_call_run(struct rpc_call *call);

/* Cancel the calls whose deadline passed; about once a second. */
void rpc_call_expire(struct rpc_call_host *host, int64_t now_ms);
