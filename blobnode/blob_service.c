#include "blobnode/blob_service.h"

#include "blobnode/blob_metrics.h"
#include "lib/base/clock.h"
#include "proto/blob.pb-c.h"

enum {
    DATA_ROLES = RPC_ROLE_FRONTEND | RPC_ROLE_STEWARD,
    KEYSET_ROLES = RPC_ROLE_FRONTEND | RPC_ROLE_STEWARD | RPC_ROLE_OPERATOR,
};

static const struct rpc_method METHODS[] = {
    {"Put", DATA_ROLES, blob_service_put},
    {"Get", DATA_ROLES, blob_service_get},
    {"Delete", RPC_ROLE_STEWARD, blob_service_delete},
    {"Enumerate", RPC_ROLE_STEWARD, blob_service_enumerate},
    {"Stat", RPC_ROLE_STEWARD, blob_service_stat},
    {"PushKeyset", KEYSET_ROLES, blob_service_push_keyset},
    {"FormatAccount", RPC_ROLE_OPERATOR, blob_service_format_account},
    {"NodeStatus", RPC_ROLE_OPERATOR | RPC_ROLE_STEWARD, blob_service_node_status},
};

struct rpc_service blob_service_table(struct blob_service *service)
{
    return (struct rpc_service){
        .descriptor = &triad__blob__blob__descriptor,
        .methods = METHODS,
        .count = sizeof(METHODS) / sizeof(METHODS[0]),
        .context = service,
    };
}

struct status blob_service_id(const ProtobufCBinaryData *bytes, struct id16 *ret_id)
{
    if (bytes->len != ID16_SIZE) {
        return FAIL(INVALID, "length of an id");
    }
    memcpy(ret_id->bytes, bytes->data, ID16_SIZE);
    return OK;
}

struct status blob_service_admit(
    struct blob_service *service, const struct rpc_call *call, const ProtobufCBinaryData *account,
    enum token_perm perm, struct blob_account **ret_account, uint64_t *ret_keyset_version)
{
    struct id16 id;
    TRY(blob_service_id(account, &id));
    struct status status = blob_keyring_admit(
        blob_store_keyring(service->store), &id, perm, rpc_call_capability(call),
        rpc_call_peer(call)->cert_sha256, (uint64_t)clock_wall_s(), ret_keyset_version);
    if (!status_ok(status)) {
        metric_add(&blob_metrics_token_refused_total, 1);
        return status;
    }
    struct blob_account *found = blob_store_find(service->store, &id);
    if (found == NULL) {
        return FAIL(NOT_FOUND, "account");
    }
    *ret_account = found;
    return OK;
}
