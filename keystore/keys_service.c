#include "keystore/keys_service.h"

#include "keystore/key_metrics.h"
#include "keystore/registry_service.h"
#include "keystore/reply_fields.h"
#include "keystore/shard_service.h"
#include "keystore/token_issuer.h"
#include "lib/base/clock.h"

/* ---- tokens ---- */

static struct status record_token(
    struct key_service *service, struct rpc_call *call, const struct id16 *account, uint32_t perm,
    const struct id16 *jti, uint64_t *ret_lsn)
{
    struct audit_event event = {
        .kind = AUDIT_ISSUE_TOKEN,
        .flag = (uint8_t)perm,
        .number = (uint32_t)service->options.token_life_s,
        .bucket = *account, /* The account stands in the place of a bucket. */
        .subject = *jti,
    };

    memcpy(event.caller, rpc_call_peer(call)->cert_sha256, sizeof(event.caller));
    return audit_append(service->audit, &event, ret_lsn);
}

static struct status issue_one(
    struct key_service *service, struct rpc_call *call, const Triad__Key__TokenWanted *wanted,
    Triad__Key__IssuedToken *issued, uint64_t *lsn)
{
    uint8_t token[TOKEN_SIZE];
    struct id16 account;
    struct id16 jti;

    TRY(reply_fields_take_id(&wanted->account, &account));
    struct status status = token_issuer_issue(
        service->keys_vault, rpc_call_peer(call), &account, wanted->perm, (uint64_t)clock_wall_s(),
        service->options.token_life_s, token, &jti);
    if (status.code == STATUS_NOT_FOUND || status.code == STATUS_DENIED) {
        return OK; /* An empty token says it. */
    }
    TRY(status);
    metric_add(&key_metrics_tokens_issued_total, 1);
    TRY(record_token(service, call, &account, wanted->perm, &jti, lsn));
    return reply_fields_put(rpc_call_arena(call), BYTES_ARRAY(token), &issued->token);
}

static struct status handle_issue_tokens(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__IssueTokensRequest *in = (const void *)request;
    Triad__Key__IssueTokensReply *out = (void *)reply;
    struct key_service *service = context;
    struct arena *arena = rpc_call_arena(call);
    size_t count = in->n_wanted;
    uint64_t lsn = 0;

    if (count > KEY_TOKENS_MAX) {
        return FAIL(INVALID, "at most 512 tokens");
    }
    Triad__Key__IssuedToken *messages = arena_zalloc(arena, count + 1, sizeof(*messages));
    out->tokens = arena_zalloc(arena, count + 1, sizeof(Triad__Key__IssuedToken *));
    if (messages == NULL || out->tokens == NULL) {
        return FAIL(NO_MEMORY, "tokens");
    }
    for (size_t i = 0; i < count; i++) {
        triad__key__issued_token__init(&messages[i]);
        TRY(issue_one(service, call, in->wanted[i], &messages[i], &lsn));
        out->tokens[i] = &messages[i];
    }
    out->n_tokens = count;
    return lsn == 0 ? OK : audit_sync(service->audit, lsn);
}

/* ---- keysets and account keys: of the accounts named, or of all ---- */

enum { ACCOUNTS_MAX = 4096 };

struct gathering {
    struct key_service *service;
    struct arena *arena;
    void **messages; /* Of ACCOUNTS_MAX, in the arena. */
    size_t count;
};

static struct status each_wanted(
    struct gathering *gathering, const ProtobufCBinaryData *accounts, size_t count,
    account_fn *each)
{
    if (count > ACCOUNTS_MAX) {
        return FAIL(INVALID, "too many accounts");
    }
    gathering->messages = arena_zalloc(gathering->arena, ACCOUNTS_MAX, sizeof(void *));
    if (gathering->messages == NULL) {
        return FAIL(NO_MEMORY, "accounts");
    }
    if (count == 0) {
        return account_keys_each(gathering->service->keys_vault, each, gathering);
    }
    for (size_t i = 0; i < count; i++) {
        struct id16 account;
        TRY(reply_fields_take_id(&accounts[i], &account));
        TRY(each(gathering, &account));
    }
    return OK;
}

static struct status add_keyset(void *context, const struct id16 *account)
{
    struct gathering *gathering = context;
    BUFFER(keyset, KEYSET_SIZE_MAX);
    Triad__Key__AccountKeyset *message = arena_alloc(gathering->arena, sizeof(*message));

    if (message == NULL || gathering->count == ACCOUNTS_MAX) {
        return FAIL(NO_MEMORY, "keysets");
    }
    struct status status = keysets_get(gathering->service->keysets, account, &keyset);
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    triad__key__account_keyset__init(message);
    TRY(reply_fields_put(gathering->arena, id16_view(account), &message->account));
    TRY(reply_fields_put(gathering->arena, buffer_bytes(&keyset), &message->keyset));
    gathering->messages[gathering->count++] = message;
    return OK;
}

static struct status handle_get_keysets(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__GetKeysetsRequest *in = (const void *)request;
    Triad__Key__GetKeysetsReply *out = (void *)reply;
    struct gathering gathering = {.service = context, .arena = rpc_call_arena(call)};

    TRY(each_wanted(&gathering, in->accounts, in->n_accounts, add_keyset));
    out->keysets = (Triad__Key__AccountKeyset **)(void *)gathering.messages;
    out->n_keysets = gathering.count;
    return OK;
}

static struct status add_account_key(void *context, const struct id16 *account)
{
    struct gathering *gathering = context;
    struct vault *vault = gathering->service->keys_vault;
    struct account_row row;
    OWNED(secret) struct secret *key = NULL;
    Triad__Key__AccountKey *message = arena_alloc(gathering->arena, sizeof(*message));

    if (message == NULL || gathering->count == ACCOUNTS_MAX) {
        return FAIL(NO_MEMORY, "account keys");
    }
    struct status status = account_keys_row(vault, account, &row);
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    TRY(account_keys_id_key(vault, account, &row, &key));
    triad__key__account_key__init(message);
    TRY(reply_fields_put(gathering->arena, id16_view(account), &message->account));
    TRY(reply_fields_put(gathering->arena, secret_bytes(key), &message->id_key));
    gathering->messages[gathering->count++] = message;
    return OK;
}

enum { INTEGRITY_MAX = 64 };

struct integrity_gathering {
    struct arena *arena;
    Triad__Key__IntegrityKey **messages; /* Of INTEGRITY_MAX. */
    size_t count;
};

static struct status add_integrity(void *context, uint32_t version, const struct secret *key)
{
    struct integrity_gathering *gathering = context;
    Triad__Key__IntegrityKey *message = arena_alloc(gathering->arena, sizeof(*message));

    if (message == NULL || gathering->count == INTEGRITY_MAX) {
        return FAIL(NO_MEMORY, "integrity keys");
    }
    triad__key__integrity_key__init(message);
    message->version = version;
    TRY(reply_fields_put(gathering->arena, secret_bytes(key), &message->key));
    gathering->messages[gathering->count++] = message;
    return OK;
}

static struct status handle_get_account_keys(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__GetAccountKeysRequest *in = (const void *)request;
    Triad__Key__GetAccountKeysReply *out = (void *)reply;
    struct key_service *service = context;
    struct arena *arena = rpc_call_arena(call);
    struct gathering gathering = {.service = service, .arena = arena};
    struct integrity_gathering integrity = {.arena = arena};

    arena_wipe(arena);
    integrity.messages = arena_zalloc(arena, INTEGRITY_MAX, sizeof(Triad__Key__IntegrityKey *));
    if (integrity.messages == NULL) {
        return FAIL(NO_MEMORY, "integrity keys");
    }
    TRY(each_wanted(&gathering, in->accounts, in->n_accounts, add_account_key));
    TRY(account_keys_each_integrity(service->keys_vault, add_integrity, &integrity));
    out->accounts = (Triad__Key__AccountKey **)(void *)gathering.messages;
    out->n_accounts = gathering.count;
    out->integrity_keys = integrity.messages;
    out->n_integrity_keys = integrity.count;
    return key_service_record(service, call, AUDIT_ACCOUNT_KEYS, (uint32_t)gathering.count, NULL);
}

static struct status handle_create_account(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__CreateAccountRequest *in = (const void *)request;
    Triad__Key__CreateAccountReply *out = (void *)reply;
    struct key_service *service = context;
    BUFFER(keyset, KEYSET_SIZE_MAX);
    struct id16 account;
    bool is_new = false;

    TRY(reply_fields_take_id(&in->account, &account));
    if (id16_is_zero(&account)) {
        return FAIL(INVALID, "an account's id is not zero");
    }
    if (!keysets_is_delegated(service->keysets)) {
        return FAIL(UNAVAILABLE, "no delegation in force: run triad pki delegate first");
    }
    TRY(account_keys_create(service->keys_vault, &account, (uint64_t)clock_wall_s(), &is_new));
    if (is_new) {
        TRY(key_service_record(service, call, AUDIT_CREATE_ACCOUNT, 0, account.bytes));
    }
    TRY(keysets_get(service->keysets, &account, &keyset));
    return reply_fields_put(rpc_call_arena(call), buffer_bytes(&keyset), &out->keyset);
}

/* ---- keyset delegation ---- */

static struct status handle_keyset_request(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    Triad__Key__KeysetRequestReply *out = (void *)reply;
    struct key_service *service = context;
    struct arena *arena = rpc_call_arena(call);
    BUFFER(spki, SIGNATURE_SPKI_MAX);
    BUFFER(delegation, 4096);
    uint8_t alg = 0;

    (void)request;
    TRY(keysets_request(service->keysets, &alg, &spki, &delegation));
    out->alg = alg;
    TRY(reply_fields_put(arena, buffer_bytes(&spki), &out->spki));
    return reply_fields_put(arena, buffer_bytes(&delegation), &out->delegation);
}

static struct status handle_keyset_delegate(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__KeysetDelegateRequest *in = (const void *)request;
    Triad__Key__KeysetDelegateReply *out = (void *)reply;
    struct key_service *service = context;

    TRY(key_service_record(service, call, AUDIT_DELEGATE, 0, NULL));
    return keysets_delegate(service->keysets, field_view(&in->delegation), &out->naf);
}

enum {
    FARM_ROLES = RPC_ROLE_FRONTEND | RPC_ROLE_STEWARD,
    RENEWING_ROLES = RPC_ROLE_FRONTEND | RPC_ROLE_STEWARD | RPC_ROLE_CONTENTDB,
};

static const struct rpc_method methods[] = {
    {"IssueTokens", FARM_ROLES, handle_issue_tokens},
    {"GetKeysets", FARM_ROLES | RPC_ROLE_OPERATOR, handle_get_keysets},
    {"GetAccountKeys", FARM_ROLES, handle_get_account_keys},
    {"OpenShard", RPC_ROLE_CONTENTDB, shard_service_open_shard},
    {"Anchor", RPC_ROLE_CONTENTDB, shard_service_anchor},
    {"CreateShard", RPC_ROLE_OPERATOR, shard_service_create_shard},
    {"CreateAccount", RPC_ROLE_OPERATOR, handle_create_account},
    {"CertAdd", RPC_ROLE_OPERATOR, registry_service_cert_add},
    {"CertList", RPC_ROLE_OPERATOR, registry_service_cert_list},
    {"CertRemove", RPC_ROLE_OPERATOR, registry_service_cert_remove},
    {"CertRenew", RENEWING_ROLES, registry_service_cert_renew},
    {"KeysetRequest", RPC_ROLE_OPERATOR, handle_keyset_request},
    {"KeysetDelegate", RPC_ROLE_OPERATOR, handle_keyset_delegate},
    {"Status", RPC_ROLE_OPERATOR | RPC_ROLE_STEWARD, shard_service_status},
};

void keys_service_table(struct key_service *service, struct rpc_service *ret_table)
{
    *ret_table = (struct rpc_service){
        .descriptor = &triad__key__keys__descriptor,
        .methods = methods,
        .count = sizeof(methods) / sizeof(methods[0]),
        .context = service,
    };
}
