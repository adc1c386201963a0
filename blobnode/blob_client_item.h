#pragma once

/* Puts and gets on their way: what blob_client_data.c sends and blob_client_settle.c ends. */

#include "blobnode/blob_client_state.h"
#include "proto/blob.pb-c.h"

/* A put or a get on its way through a lane. */
struct blob_client_item {
    struct lane_item lane; /* First: the lane hands it back. */
    struct blob_client_account *account;
    bool is_put;
    bool is_bulk;
    struct id16 id;
    uint32_t offset;
    uint32_t size;
    int64_t deadline_ms;
    blob_put_done_fn *put_done;
    blob_get_done_fn *get_done;
    void *arg;
    size_t count;              /* Slices still ours. */
    struct rpc_slice slices[]; /* Of a put. */
};

/* One RPC with the items that it carries. */
struct blob_client_rpc {
    struct blob_client *client;
    struct blob_client_account *account;
    struct blob_client_node *node;
    struct lane *lane;
    struct blob_client_item *items;
    size_t count;
    bool is_bulk;
};

static inline struct blob_client_item *blob_client_item_next(const struct blob_client_item *item)
{
    return (struct blob_client_item *)item->lane.next;
}

void blob_client_settle_release(const struct rpc_slice *slices, size_t count);

/* End items; each is freed. */
void blob_client_settle_all(struct blob_client_item *items, struct status status);
void blob_client_settle_puts(struct blob_client_rpc *call, const Triad__Blob__PutReply *reply);
void blob_client_settle_gets(
    struct blob_client_rpc *call, const Triad__Blob__GetReply *reply,
    const struct rpc_pieces *payload);
