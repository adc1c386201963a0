#pragma once

/*
 * The RPCs of proto/blob.proto over a store. Each call is judged anew: role by the table, then
 * token (right, account, certificate, keyset), then bounds, and only then is the disk touched.
 */

#include "blobnode/blob_store.h"
#include "lib/rpc/rpc_server.h"

struct blob_service {
    struct blob_store *store; /* Outlives us. */
    const char *node_id;      /* Outlives us. */
};

/* The method table over service, which outlives the server. */
struct rpc_service blob_service_table(struct blob_service *service);

/* What the admin calls' file (blob_service_admin.c) answers. */
struct status blob_service_enumerate(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status blob_service_stat(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status blob_service_push_keyset(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status blob_service_format_account(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status blob_service_node_status(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);

/* ... and the data calls' file (blob_service_data.c). */
struct status blob_service_put(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status blob_service_get(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status blob_service_delete(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);

/* An id of exactly 16 bytes. */
MUST_CHECK struct status blob_service_id(const ProtobufCBinaryData *bytes, struct id16 *ret_id);

/* May this call use the right on that account? Then *ret_account is here to serve it. */
MUST_CHECK struct status blob_service_admit(
    struct blob_service *service, const struct rpc_call *call, const ProtobufCBinaryData *account,
    enum token_perm perm, struct blob_account **ret_account, uint64_t *ret_keyset_version);
