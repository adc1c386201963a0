#include "blobnode/blob_service.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"
#include "lib/version/version.h"
#include "proto/blob.pb-c.h"

static struct bytes view(const ProtobufCBinaryData *bytes)
{
    return bytes_of(bytes->data, bytes->len);
}

/* An id in the reply's arena. */
static struct status
set_id(struct rpc_call *call, const struct id16 *id, ProtobufCBinaryData *ret_bytes)
{
    uint8_t *copy = arena_alloc(rpc_call_arena(call), ID16_SIZE);
    if (copy == NULL) {
        return FAIL(NO_MEMORY, "id");
    }
    memcpy(copy, id->bytes, ID16_SIZE);
    *ret_bytes = (ProtobufCBinaryData){.len = ID16_SIZE, .data = copy};
    return OK;
}

static struct status set_entries(
    struct rpc_call *call, struct blob_listed *listed, size_t count,
    Triad__Blob__EnumerateReply *reply)
{
    struct arena *arena = rpc_call_arena(call);
    reply->entries = arena_zalloc(arena, count + 1, sizeof(*reply->entries));
    Triad__Blob__EnumerateEntry *entries = arena_zalloc(arena, count + 1, sizeof(*entries));
    if (reply->entries == NULL || entries == NULL) {
        return FAIL(NO_MEMORY, "entries");
    }
    for (size_t i = 0; i < count; i++) {
        triad__blob__enumerate_entry__init(&entries[i]);
        entries[i].id = (ProtobufCBinaryData){.len = ID16_SIZE, .data = listed[i].id.bytes};
        entries[i].size = listed[i].size;
        reply->entries[i] = &entries[i];
    }
    reply->n_entries = count;
    return OK;
}

struct status blob_service_enumerate(
    void *context, struct rpc_call *call, const ProtobufCMessage *request_,
    ProtobufCMessage *reply_)
{
    const Triad__Blob__EnumerateRequest *request = (const Triad__Blob__EnumerateRequest *)request_;
    Triad__Blob__EnumerateReply *reply = (Triad__Blob__EnumerateReply *)reply_;
    struct blob_account *account = NULL;
    TRY(blob_service_admit(
        context, call, &request->account, TOKEN_ENUMERATE, &account, &reply->keyset_version));
    if (request->limit == 0 || request->limit > BLOB_ENUMERATE_MAX) {
        return FAIL(INVALID, "limit of a page");
    }
    struct id16 after;
    bool has_after = request->after.len > 0;
    if (has_after) {
        TRY(blob_service_id(&request->after, &after));
    }
    struct blob_listed *listed =
        arena_zalloc(rpc_call_arena(call), request->limit, sizeof(*listed));
    if (listed == NULL) {
        return FAIL(NO_MEMORY, "page");
    }
    bool is_complete = false;
    size_t count = blob_account_enumerate(
        account, has_after ? &after : NULL, request->limit, listed, &is_complete);
    reply->is_complete = is_complete;
    return set_entries(call, listed, count, reply);
}

struct status blob_service_stat(
    void *context, struct rpc_call *call, const ProtobufCMessage *request_,
    ProtobufCMessage *reply_)
{
    const Triad__Blob__StatRequest *request = (const Triad__Blob__StatRequest *)request_;
    Triad__Blob__StatReply *reply = (Triad__Blob__StatReply *)reply_;
    struct blob_account *account = NULL;
    TRY(blob_service_admit(
        context, call, &request->account, TOKEN_ENUMERATE, &account, &reply->keyset_version));
    struct blob_account_stat stat;
    blob_account_stat(account, &stat);
    reply->durable_lsn = stat.durable_lsn;
    reply->blobs = stat.blobs;
    reply->bytes = stat.bytes;
    reply->trash_bytes = stat.trash_bytes;
    reply->free_bytes = stat.free_bytes;
    return set_id(call, &blob_account_identity(account)->store_uuid, &reply->store_uuid);
}

struct status blob_service_push_keyset(
    void *context, struct rpc_call *call, const ProtobufCMessage *request_,
    ProtobufCMessage *reply_)
{
    const Triad__Blob__PushKeysetRequest *request =
        (const Triad__Blob__PushKeysetRequest *)request_;
    Triad__Blob__PushKeysetReply *reply = (Triad__Blob__PushKeysetReply *)reply_;
    struct blob_service *service = context;
    (void)call;
    struct id16 account;
    TRY(blob_service_id(&request->account, &account));
    return blob_keyring_push(
        blob_store_keyring(service->store), &account, view(&request->keyset),
        (uint64_t)clock_wall_s(), &reply->keyset_version);
}

struct status blob_service_format_account(
    void *context, struct rpc_call *call, const ProtobufCMessage *request_,
    ProtobufCMessage *reply_)
{
    const Triad__Blob__FormatAccountRequest *request =
        (const Triad__Blob__FormatAccountRequest *)request_;
    Triad__Blob__FormatAccountReply *reply = (Triad__Blob__FormatAccountReply *)reply_;
    struct blob_service *service = context;
    struct id16 account;
    struct id16 store_uuid;
    TRY(blob_service_id(&request->account, &account));
    TRY(blob_store_format(
        service->store, &account, view(&request->keyset), (uint64_t)clock_wall_s(), &store_uuid));
    log_event(
        LOG_INFO, "account formatted", LOG_HEX("account", id16_view(&account)),
        LOG_TEXT("by", rpc_call_peer(call)->uri));
    reply->node_id = arena_text(rpc_call_arena(call), bytes_text(service->node_id));
    if (reply->node_id == NULL) {
        return FAIL(NO_MEMORY, "node id");
    }
    return set_id(call, &store_uuid, &reply->store_uuid);
}

static struct status describe(
    struct blob_service *service, struct rpc_call *call, struct blob_account *account,
    Triad__Blob__NodeAccount *to)
{
    const struct blob_identity *identity = blob_account_identity(account);
    struct blob_account_stat stat;
    blob_account_stat(account, &stat);
    triad__blob__node_account__init(to);
    to->blobs = stat.blobs;
    to->bytes = stat.bytes;
    to->durable_lsn = stat.durable_lsn;
    to->damaged = stat.damaged;
    blob_keyring_version(
        blob_store_keyring(service->store), &identity->account, &to->keyset_version,
        &to->keyset_valid_until);
    TRY(set_id(call, &identity->account, &to->account));
    return set_id(call, &identity->store_uuid, &to->store_uuid);
}

struct status blob_service_node_status(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply_)
{
    Triad__Blob__NodeStatusReply *reply = (Triad__Blob__NodeStatusReply *)reply_;
    struct blob_service *service = context;
    (void)request;
    struct blob_store_stat stat;
    blob_store_stat(service->store, &stat);
    struct arena *arena = rpc_call_arena(call);
    reply->accounts = arena_zalloc(arena, stat.accounts + 1, sizeof(*reply->accounts));
    reply->node_id = arena_text(arena, bytes_text(service->node_id));
    reply->version = arena_text(arena, bytes_text(TRIAD_VERSION));
    if (reply->accounts == NULL || reply->node_id == NULL || reply->version == NULL) {
        return FAIL(NO_MEMORY, "status");
    }
    for (size_t i = 0; i < stat.accounts; i++) {
        Triad__Blob__NodeAccount *to = arena_alloc(arena, sizeof(*to));
        if (to == NULL) {
            return FAIL(NO_MEMORY, "account");
        }
        TRY(describe(service, call, blob_store_at(service->store, i), to));
        reply->accounts[i] = to;
        reply->n_accounts = i + 1;
    }
    reply->free_bytes = stat.free_bytes;
    reply->now_ms = (uint64_t)clock_wall_ms();
    return OK;
}
