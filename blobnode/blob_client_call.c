#include "blobnode/blob_client_state.h"
#include "proto/blob.pb-c.h"

/* One call that waits: perm 0 needs no token. */
static struct status call(
    struct blob_client *client, struct blob_client_account *account, const char *method,
    enum token_perm perm, const ProtobufCMessage *message, int64_t deadline_ms,
    struct rpc_reply **ret_reply)
{
    const struct blob_client_options *options = &client->options;
    uint8_t token[TOKEN_SIZE];
    if (perm != 0) {
        TRY(options->token(options->context, &account->account, perm, token));
    }
    struct blob_client_node *node = atomic_load(&account->node);
    struct rpc_channel *channel = NULL;
    TRY(blob_client_node_channel(node, false, &channel));
    struct rpc_request request = {
        .service = &triad__blob__blob__descriptor,
        .method = method,
        .message = message,
        .capability = bytes_of(token, perm != 0 ? sizeof(token) : 0),
        .deadline_ms = deadline_ms,
    };
    blob_client_node_begin(node);
    return blob_client_node_end(node, rpc_call_wait(channel, &request, ret_reply));
}

struct status blob_client_delete(
    struct blob_client *client, uint32_t number, const struct id16 *ids, size_t count,
    int64_t deadline_ms, enum blob_outcome *ret_outcomes)
{
    struct blob_client_account *account = NULL;
    TRY(blob_client_state_find(client, number, &account));
    if (count > BLOB_ITEMS_MAX) {
        return FAIL(TOO_LARGE, "ids to delete");
    }
    ProtobufCBinaryData list[BLOB_ITEMS_MAX];
    for (size_t i = 0; i < count; i++) {
        list[i] = blob_client_binary(id16_view(&ids[i]));
    }
    Triad__Blob__DeleteRequest message = TRIAD__BLOB__DELETE_REQUEST__INIT;
    message.account = blob_client_binary(id16_view(&account->account));
    message.ids = list;
    message.n_ids = count;
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(call(client, account, "Delete", TOKEN_DELETE, &message.base, deadline_ms, &reply));
    const Triad__Blob__DeleteReply *answer = (const Triad__Blob__DeleteReply *)reply->message;
    blob_client_state_note_keyset(account, answer->keyset_version);
    if (answer->n_outcomes != count) {
        return FAIL(UNKNOWN, "number of outcomes");
    }
    for (size_t i = 0; i < count; i++) {
        ret_outcomes[i] = (enum blob_outcome)answer->outcomes[i];
    }
    return OK;
}

static struct status
read_entries(const Triad__Blob__EnumerateReply *answer, uint32_t limit, struct blob_entry *entries)
{
    if (answer->n_entries > limit) {
        return FAIL(UNKNOWN, "number of entries");
    }
    for (size_t i = 0; i < answer->n_entries; i++) {
        if (answer->entries[i]->id.len != ID16_SIZE) {
            return FAIL(UNKNOWN, "length of an id");
        }
        memcpy(entries[i].id.bytes, answer->entries[i]->id.data, ID16_SIZE);
        entries[i].size = answer->entries[i]->size;
    }
    return OK;
}

struct status blob_client_enumerate(
    struct blob_client *client, uint32_t number, const struct id16 *after, uint32_t limit,
    int64_t deadline_ms, struct blob_entry *entries, size_t *ret_count, bool *ret_is_complete)
{
    struct blob_client_account *account = NULL;
    TRY(blob_client_state_find(client, number, &account));
    Triad__Blob__EnumerateRequest message = TRIAD__BLOB__ENUMERATE_REQUEST__INIT;
    message.account = blob_client_binary(id16_view(&account->account));
    message.limit = limit;
    if (after != NULL) {
        message.after = blob_client_binary(id16_view(after));
    }
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(call(client, account, "Enumerate", TOKEN_ENUMERATE, &message.base, deadline_ms, &reply));
    const Triad__Blob__EnumerateReply *answer = (const Triad__Blob__EnumerateReply *)reply->message;
    blob_client_state_note_keyset(account, answer->keyset_version);
    TRY(read_entries(answer, limit, entries));
    *ret_count = answer->n_entries;
    *ret_is_complete = answer->is_complete != 0;
    return OK;
}

struct status blob_client_stat(
    struct blob_client *client, uint32_t number, int64_t deadline_ms, struct blob_stat *ret_stat)
{
    struct blob_client_account *account = NULL;
    TRY(blob_client_state_find(client, number, &account));
    Triad__Blob__StatRequest message = TRIAD__BLOB__STAT_REQUEST__INIT;
    message.account = blob_client_binary(id16_view(&account->account));
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(call(client, account, "Stat", TOKEN_ENUMERATE, &message.base, deadline_ms, &reply));
    const Triad__Blob__StatReply *answer = (const Triad__Blob__StatReply *)reply->message;
    blob_client_state_note_keyset(account, answer->keyset_version);
    if (answer->store_uuid.len != ID16_SIZE) {
        return FAIL(UNKNOWN, "length of a store uuid");
    }
    struct blob_stat stat = {
        .durable_lsn = answer->durable_lsn,
        .blobs = answer->blobs,
        .bytes = answer->bytes,
        .trash_bytes = answer->trash_bytes,
        .free_bytes = answer->free_bytes,
        .keyset_version = answer->keyset_version,
    };
    memcpy(stat.store_uuid.bytes, answer->store_uuid.data, ID16_SIZE);
    *ret_stat = stat;
    return OK;
}

struct status blob_client_push_keyset(
    struct blob_client *client, uint32_t number, struct bytes keyset, int64_t deadline_ms,
    uint64_t *ret_version)
{
    struct blob_client_account *account = NULL;
    TRY(blob_client_state_find(client, number, &account));
    Triad__Blob__PushKeysetRequest message = TRIAD__BLOB__PUSH_KEYSET_REQUEST__INIT;
    message.account = blob_client_binary(id16_view(&account->account));
    message.keyset = blob_client_binary(keyset);
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(call(client, account, "PushKeyset", 0, &message.base, deadline_ms, &reply));
    const Triad__Blob__PushKeysetReply *answer =
        (const Triad__Blob__PushKeysetReply *)reply->message;
    blob_client_state_note_keyset(account, answer->keyset_version);
    if (ret_version != NULL) {
        *ret_version = answer->keyset_version;
    }
    return OK;
}

struct status blob_client_node_status(
    struct blob_client *client, uint32_t number, int64_t deadline_ms, struct rpc_reply **ret_reply)
{
    struct blob_client_account *account = NULL;
    TRY(blob_client_state_find(client, number, &account));
    Triad__Blob__NodeStatusRequest message = TRIAD__BLOB__NODE_STATUS_REQUEST__INIT;
    return call(client, account, "NodeStatus", 0, &message.base, deadline_ms, ret_reply);
}
