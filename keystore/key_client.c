#include "keystore/key_client.h"

#include "keystore/key_lane.h"
#include "keystore/key_reply.h"
#include "lib/base/arena.h"
#include "lib/base/check.h"

#include <stdlib.h>

#include <openssl/crypto.h>

enum { SCRATCH_MAX = 256 * 1024 };

struct key_client {
    struct rpc_channel *channel; /* Owned. */
    struct key_lane *lane;       /* Owned. */
};

struct status key_client_new(
    struct rpc_client *rpc, const char *address, const char *tls_name,
    const struct key_client_options *options, struct key_client **ret_client)
{
    OWNED(key_client) struct key_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(NO_MEMORY, "key client");
    }
    unsigned calls = options != NULL && options->calls_max != 0 ? options->calls_max : 2;
    size_t items =
        options != NULL && options->items_max != 0 ? options->items_max : KEY_AUTHORIZE_ITEMS_MAX;
    TRY(rpc_channel_open(rpc, address, tls_name, RPC_ROLE_KEYSTORE, &client->channel));
    TRY(key_lane_new(client->channel, calls, items, &client->lane));
    *ret_client = TAKE(client);
    return OK;
}

void key_client_free(struct key_client *client)
{
    if (client == NULL) {
        return;
    }
    key_lane_free(client->lane);
    rpc_channel_free(client->channel);
    free(client);
}

struct rpc_channel *key_client_channel(struct key_client *client)
{
    return client->channel;
}

bool key_client_is_up(const struct key_client *client)
{
    return rpc_channel_is_up(client->channel);
}

struct status key_client_authorize(
    struct key_client *client, const struct key_authorize_item *item, int64_t deadline_ms,
    struct key_authorize_result **ret_result)
{
    return key_lane_authorize(client->lane, item, deadline_ms, ret_result);
}

static struct status identity_call(
    struct key_client *client, const char *method, const ProtobufCMessage *message,
    int64_t deadline_ms, struct rpc_reply **ret_reply)
{
    struct rpc_request request = {
        .service = &triad__key__identity__descriptor,
        .method = method,
        .message = message,
        .deadline_ms = deadline_ms,
    };

    return rpc_call_wait(client->channel, &request, ret_reply);
}

static struct status keys_call(
    struct key_client *client, const char *method, const ProtobufCMessage *message,
    int64_t deadline_ms, struct rpc_reply **ret_reply)
{
    struct rpc_request request = {
        .service = &triad__key__keys__descriptor,
        .method = method,
        .message = message,
        .deadline_ms = deadline_ms,
    };

    return rpc_call_wait(client->channel, &request, ret_reply);
}

/* protobuf-c has no const: what we send is only read. */
static ProtobufCBinaryData field_of(struct bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *)(uintptr_t)bytes.data};
}

static struct status verdict_of(Triad__Key__Verdict verdict, enum key_verdict *ret_verdict)
{
    if ((int)verdict <= KEY_REFUSED || (int)verdict > KEY_UNSUPPORTED) {
        return FAIL(INVALID, "unknown verdict");
    }
    *ret_verdict = (enum key_verdict)verdict;
    return OK;
}

static struct status add_chunks(
    struct arena *arena, const struct key_chunk_signature *chunks, size_t count,
    Triad__Key__VerifyChunksRequest *request)
{
    Triad__Key__ChunkSignature *messages = arena_zalloc(arena, count, sizeof(*messages));
    Triad__Key__ChunkSignature **list =
        arena_zalloc(arena, count, sizeof(Triad__Key__ChunkSignature *));

    if (messages == NULL || list == NULL) {
        return FAIL(NO_MEMORY, "chunk signatures");
    }
    for (size_t i = 0; i < count; i++) {
        triad__key__chunk_signature__init(&messages[i]);
        messages[i].sha256 = field_of(BYTES_ARRAY(chunks[i].sha256));
        messages[i].signature = field_of(BYTES_ARRAY(chunks[i].signature));
        list[i] = &messages[i];
    }
    request->chunks = list;
    request->n_chunks = count;
    return OK;
}

struct status key_client_verify_chunks(
    struct key_client *client, struct bytes handle, struct bytes date, struct bytes scope,
    const struct key_chunk_signature *chunks, size_t count, int64_t deadline_ms, uint8_t seed[32],
    enum key_verdict *ret_verdict)
{
    if (count == 0 || count > KEY_VERIFY_CHUNKS_MAX) {
        return FAIL(INVALID, "number of chunk signatures");
    }
    ARENA(arena, SCRATCH_MAX);
    Triad__Key__VerifyChunksRequest request;
    triad__key__verify_chunks_request__init(&request);
    TRY(add_chunks(&arena, chunks, count, &request));
    request.handle = field_of(handle);
    request.seed = field_of(bytes_of(seed, 32));
    request.date = arena_text(&arena, date);
    request.scope = arena_text(&arena, scope);
    if (request.date == NULL || request.scope == NULL) {
        return FAIL(NO_MEMORY, "chunk signatures");
    }
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(identity_call(client, "VerifyChunks", &request.base, deadline_ms, &reply));
    const Triad__Key__VerifyChunksReply *message = (const void *)reply->message;
    enum key_verdict verdict = KEY_REFUSED;
    TRY(verdict_of(message->verdict, &verdict));
    if (verdict == KEY_ALLOWED) {
        TRY(key_reply_copy(&message->last, seed, 32));
    }
    *ret_verdict = verdict;
    return OK;
}

struct status key_client_renew_grant(
    struct key_client *client, struct bytes handle, uint32_t shard, int64_t deadline_ms,
    uint8_t ret_grant[GRANT_SIZE], enum key_verdict *ret_verdict)
{
    Triad__Key__RenewGrantRequest request = TRIAD__KEY__RENEW_GRANT_REQUEST__INIT;

    request.handle = field_of(handle);
    request.shard = shard;
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(identity_call(client, "RenewGrant", &request.base, deadline_ms, &reply));
    const Triad__Key__RenewGrantReply *message = (const void *)reply->message;
    enum key_verdict verdict = KEY_REFUSED;
    TRY(verdict_of(message->verdict, &verdict));
    if (verdict == KEY_ALLOWED) {
        TRY(key_reply_copy(&message->grant, ret_grant, GRANT_SIZE));
    }
    *ret_verdict = verdict;
    return OK;
}

static struct status bucket_state(
    struct key_client *client, const char *method, struct bytes handle, const struct id16 *bucket,
    int64_t deadline_ms)
{
    Triad__Key__BucketStateRequest request = TRIAD__KEY__BUCKET_STATE_REQUEST__INIT;

    request.handle = field_of(handle);
    request.bucket = field_of(id16_view(bucket));
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    return identity_call(client, method, &request.base, deadline_ms, &reply);
}

struct status key_client_activate_bucket(
    struct key_client *client, struct bytes handle, const struct id16 *bucket, int64_t deadline_ms)
{
    return bucket_state(client, "ActivateBucket", handle, bucket, deadline_ms);
}

struct status key_client_drop_bucket(
    struct key_client *client, struct bytes handle, const struct id16 *bucket, int64_t deadline_ms)
{
    return bucket_state(client, "DropBucket", handle, bucket, deadline_ms);
}

static void wrapped_message(const struct key_shard_wrapped *dek, Triad__Key__WrappedDek *message)
{
    triad__key__wrapped_dek__init(message);
    message->version = dek->version;
    message->wrapped = field_of(bytes_of(dek->wrapped, dek->wrapped_size));
    message->recovery_wrapped = field_of(bytes_of(dek->recovery, dek->recovery_size));
}

struct status key_client_open_shard(
    struct key_client *client, uint32_t shard, const struct id16 *db_uuid,
    const struct key_shard_wrapped *deks, size_t deks_count, const struct id16 *instance,
    int64_t deadline_ms, struct key_shard **ret_shard)
{
    Triad__Key__OpenShardRequest request = TRIAD__KEY__OPEN_SHARD_REQUEST__INIT;
    Triad__Key__WrappedDek messages[KEY_SHARD_DEKS_MAX];
    Triad__Key__WrappedDek *list[KEY_SHARD_DEKS_MAX];

    if (deks_count > KEY_SHARD_DEKS_MAX) {
        return FAIL(INVALID, "too many DEKs");
    }
    for (size_t i = 0; i < deks_count; i++) {
        wrapped_message(&deks[i], &messages[i]);
        list[i] = &messages[i];
    }
    request.shard = shard;
    request.db_uuid = field_of(id16_view(db_uuid));
    request.deks = list;
    request.n_deks = deks_count;
    request.instance = field_of(id16_view(instance));
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(keys_call(client, "OpenShard", &request.base, deadline_ms, &reply));
    return key_reply_shard((const void *)reply->message, ret_shard);
}

struct status key_client_anchor(
    struct key_client *client, uint32_t shard, const struct id16 *instance,
    const struct key_shard_anchor *anchor, int64_t deadline_ms, struct key_grant_keys **ret_grants)
{
    Triad__Key__AnchorRequest request = TRIAD__KEY__ANCHOR_REQUEST__INIT;
    Triad__Key__ShardAnchor message = TRIAD__KEY__SHARD_ANCHOR__INIT;

    message.fence = anchor->fence;
    message.seq = anchor->seq;
    message.chain_tag = field_of(BYTES_ARRAY(anchor->chain_tag));
    request.shard = shard;
    request.instance = field_of(id16_view(instance));
    request.anchor = &message;
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(keys_call(client, "Anchor", &request.base, deadline_ms, &reply));
    const Triad__Key__AnchorReply *answer = (const void *)reply->message;
    return key_reply_grant_keys(
        answer->min_epoch, answer->grant_keys, answer->n_grant_keys, answer->certificates,
        answer->n_certificates, ret_grants);
}

static struct status
tokens_of(const Triad__Key__IssueTokensReply *reply, size_t count, struct key_token *ret_tokens)
{
    if (reply->n_tokens != count) {
        return FAIL(INVALID, "key store answered another number of tokens");
    }
    for (size_t i = 0; i < count; i++) {
        ret_tokens[i].is_issued = reply->tokens[i]->token.len > 0;
        if (ret_tokens[i].is_issued) {
            TRY(key_reply_copy(&reply->tokens[i]->token, ret_tokens[i].token, TOKEN_SIZE));
        }
    }
    return OK;
}

struct status key_client_issue_tokens(
    struct key_client *client, const struct key_token_wanted *wanted, size_t count,
    int64_t deadline_ms, struct key_token *ret_tokens)
{
    if (count > KEY_TOKENS_MAX) {
        return FAIL(INVALID, "too many tokens at once");
    }
    ARENA(arena, SCRATCH_MAX);
    Triad__Key__TokenWanted *messages = arena_zalloc(&arena, count + 1, sizeof(*messages));
    Triad__Key__TokenWanted **list =
        arena_zalloc(&arena, count + 1, sizeof(Triad__Key__TokenWanted *));
    if (messages == NULL || list == NULL) {
        return FAIL(NO_MEMORY, "tokens wanted");
    }
    for (size_t i = 0; i < count; i++) {
        triad__key__token_wanted__init(&messages[i]);
        messages[i].account = field_of(id16_view(&wanted[i].account));
        messages[i].perm = wanted[i].perm;
        list[i] = &messages[i];
    }
    Triad__Key__IssueTokensRequest request = TRIAD__KEY__ISSUE_TOKENS_REQUEST__INIT;
    request.wanted = list;
    request.n_wanted = count;
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(keys_call(client, "IssueTokens", &request.base, deadline_ms, &reply));
    return tokens_of((const void *)reply->message, count, ret_tokens);
}

/* The ids as a list of message fields, in the arena. */
static struct status account_fields(
    struct arena *arena, const struct id16 *accounts, size_t count, ProtobufCBinaryData **ret_list)
{
    ProtobufCBinaryData *list = arena_zalloc(arena, count + 1, sizeof(*list));

    if (list == NULL) {
        return FAIL(NO_MEMORY, "accounts wanted");
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = field_of(id16_view(&accounts[i]));
    }
    *ret_list = list;
    return OK;
}

struct status key_client_get_keysets(
    struct key_client *client, const struct id16 *accounts, size_t count, int64_t deadline_ms,
    struct status (*add)(void *context, const struct id16 *account, struct bytes keyset),
    void *context)
{
    ARENA(arena, SCRATCH_MAX);
    Triad__Key__GetKeysetsRequest request = TRIAD__KEY__GET_KEYSETS_REQUEST__INIT;

    TRY(account_fields(&arena, accounts, count, &request.accounts));
    request.n_accounts = count;
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(keys_call(client, "GetKeysets", &request.base, deadline_ms, &reply));
    const Triad__Key__GetKeysetsReply *message = (const void *)reply->message;
    for (size_t i = 0; i < message->n_keysets; i++) {
        const Triad__Key__AccountKeyset *keyset = message->keysets[i];
        struct id16 account;
        TRY(key_reply_copy(&keyset->account, account.bytes, ID16_SIZE));
        TRY(add(context, &account, bytes_of(keyset->keyset.data, keyset->keyset.len)));
    }
    return OK;
}

struct status key_client_get_account_keys(
    struct key_client *client, const struct id16 *accounts, size_t count, int64_t deadline_ms,
    struct status (*add_account)(
        void *context, const struct id16 *account, struct secret **take_id_key),
    struct status (*add_integrity)(void *context, uint32_t version, struct secret **take_key),
    void *context)
{
    ARENA(arena, SCRATCH_MAX);
    Triad__Key__GetAccountKeysRequest request = TRIAD__KEY__GET_ACCOUNT_KEYS_REQUEST__INIT;

    TRY(account_fields(&arena, accounts, count, &request.accounts));
    request.n_accounts = count;
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(keys_call(client, "GetAccountKeys", &request.base, deadline_ms, &reply));
    const Triad__Key__GetAccountKeysReply *message = (const void *)reply->message;
    for (size_t i = 0; i < message->n_accounts; i++) {
        struct id16 account;
        OWNED(secret) struct secret *key = NULL;
        TRY(key_reply_copy(&message->accounts[i]->account, account.bytes, ID16_SIZE));
        TRY(key_reply_take_key(&message->accounts[i]->id_key, &key));
        TRY(add_account(context, &account, &key));
    }
    for (size_t i = 0; i < message->n_integrity_keys; i++) {
        OWNED(secret) struct secret *key = NULL;
        TRY(key_reply_take_key(&message->integrity_keys[i]->key, &key));
        TRY(add_integrity(context, message->integrity_keys[i]->version, &key));
    }
    return OK;
}

struct status
key_client_renew_certificate(struct key_client *client, struct bytes pem, int64_t deadline_ms)
{
    Triad__Key__CertRenewRequest request = TRIAD__KEY__CERT_RENEW_REQUEST__INIT;

    request.certificate = field_of(pem);
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    return keys_call(client, "CertRenew", &request.base, deadline_ms, &reply);
}
