#pragma once

/* What the files of blob_client share; nobody else includes it. */

#include "blobnode/blob_client.h"
#include "lib/base/map.h"
#include "lib/rpc/lane.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    BLOB_CLIENT_NODES_MAX = 4096,
    BLOB_CLIENT_ACCOUNTS_MAX = 65536,
    BLOB_CLIENT_PROBE_MS = 2000,              /* Deadline of a probe. */
    BLOB_CLIENT_CALL_BYTES = 2 * 1024 * 1024, /* Of small items in one call. */
};

/*
 * A node address. Its channels are opened when first needed.
 *
 *   up -> down (a call found nobody, or it was cut off) -> down, probing -> up
 *
 * Silent is no state but a matter of time: calls are in flight and none of them was answered.
 */
struct blob_client_node {
    struct blob_client_node *next;
    struct blob_client *client;
    char *address;             /* Owned. */
    char *tls_name;            /* Owned. */
    struct lane *bulk_lane;    /* Owned. */
    pthread_mutex_t mutex;     /* Guards what follows. */
    struct rpc_channel *bulk;  /* Owned; NULL until needed. */
    struct rpc_channel *small; /* Owned; NULL until needed. */
    bool is_down;
    bool is_probing;
    bool is_cut;             /* Down because it was silent. */
    int64_t probe_at_ms;     /* While down: not before. */
    unsigned in_flight;      /* Calls, without probes. */
    int64_t silent_since_ms; /* While any is: the last answer, or the first of them. */
};

struct blob_client_account {
    uint32_t number;
    struct id16 account;
    struct blob_client *client;
    struct lane *put_lane; /* Owned. */
    struct lane *get_lane; /* Owned. */
    _Atomic(struct blob_client_node *) node;
    atomic_bool is_gone;
    atomic_uint_fast64_t free_bytes;
    atomic_uint_fast64_t keyset_version;
};

/*
 * Nodes and accounts are added and never freed before the client: items in flight point to them.
 * `busy` counts items, calls and probes that are not over; the client is freed when it is 0.
 */
struct blob_client {
    struct rpc_client *rpc_client; /* Outlives us. */
    struct blob_client_options options;
    pthread_mutex_t mutex; /* Guards what follows. */
    pthread_cond_t idle;
    struct blob_client_node *nodes; /* Owned list. */
    size_t nodes_count;
    struct map *accounts; /* Owned: number u32 -> struct blob_client_account. */
    size_t busy;
    atomic_int_fast64_t answered_ms; /* When any node last did. */
};

void blob_client_state_enter(struct blob_client *client);
void blob_client_state_leave(struct blob_client *client);

/* NOT_FOUND: unknown or gone. */
MUST_CHECK struct status blob_client_state_find(
    struct blob_client *client, uint32_t number, struct blob_client_account **ret_account);

/* A reply named it. */
void blob_client_state_note_keyset(struct blob_client_account *account, uint64_t version);

/* blob_client_node.c */
MUST_CHECK struct status blob_client_node_new(
    struct blob_client *client, const char *address, const char *tls_name,
    struct blob_client_node **ret_node);
void blob_client_node_free(struct blob_client_node *node);
MUST_CHECK struct status blob_client_node_channel(
    struct blob_client_node *node, bool is_bulk, struct rpc_channel **ret_channel);
/* Around each call but probes; end returns the status that the call's owner gets. */
void blob_client_node_begin(struct blob_client_node *node);
struct status blob_client_node_end(struct blob_client_node *node, struct status status);
/* It was silent for too long: do not wait for it. */
bool blob_client_node_is_cut(struct blob_client_node *node);
/* Probes when it is time. */
bool blob_client_node_is_up(struct blob_client_node *node, struct blob_client_account *account);

/* The bulk lane's and the account lanes' send function (blob_client_data.c). */
void blob_client_data_send(void *context, struct lane *lane, struct lane_item *items, size_t count);

static inline ProtobufCBinaryData blob_client_binary(struct bytes bytes)
{
    /* protobuf-c only reads what is packed; its struct has no const. */
    return (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *)(uintptr_t)bytes.data};
}

DEFINE_OWNED(blob_client_node)
