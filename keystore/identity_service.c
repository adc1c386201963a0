#include "keystore/identity_service.h"

#include "keystore/authorize.h"
#include "keystore/bucket_states.h"
#include "keystore/handle.h"
#include "keystore/reply_fields.h"
#include "keystore/tenant_service.h"
#include "lib/base/clock.h"

#include <openssl/crypto.h>

/* ---- Authorize ---- */

static struct status
take_item(const Triad__Key__AuthorizeItem *message, struct key_authorize_item *item)
{
    if (message->signature.len != sizeof(item->signature)) {
        return FAIL(INVALID, "a signature has 32 bytes");
    }
    *item = (struct key_authorize_item){
        .canonical_request = field_view(&message->canonical_request),
        .date = bytes_text(message->date),
        .scope = bytes_text(message->scope),
        .access_key = bytes_text(message->access_key),
        .presigned_expires_s = message->presigned_expires_s,
        .has_bucket = message->bucket.len > 0,
        .shard = message->shard,
        .operation = (enum key_operation)message->operation,
        .version_record = field_view(&message->version_record),
        .vmac = field_view(&message->vmac),
        .key_ref = field_view(&message->key_ref),
    };
    memcpy(item->signature, message->signature.data, sizeof(item->signature));
    if ((int)message->operation < KEY_PROVE || (int)message->operation > KEY_CREATE_BUCKET) {
        return FAIL(INVALID, "unknown operation");
    }
    return item->has_bucket ? reply_fields_take_id(&message->bucket, &item->bucket) : OK;
}

static struct status
put_key(struct arena *arena, const struct secret *key, ProtobufCBinaryData *field)
{
    return key == NULL ? OK : reply_fields_put(arena, secret_bytes(key), field);
}

static struct status put_allowed(
    struct arena *arena, const struct key_authorize_item *item,
    const struct key_authorize_result *result, Triad__Key__AuthorizeResult *message)
{
    bool is_new_data = item->operation == KEY_GENERATE;
    bool is_new_bucket = item->operation == KEY_CREATE_BUCKET;

    message->rights = result->rights;
    TRY(reply_fields_put(arena, id16_view(&result->tenant), &message->tenant));
    TRY(reply_fields_put_text(arena, bytes_text(result->principal), &message->principal));
    TRY(reply_fields_put(
        arena, bytes_of(result->grant, result->has_grant ? GRANT_SIZE : 0), &message->grant));
    TRY(reply_fields_put(arena, bytes_of(result->handle, result->handle_size), &message->handle));
    TRY(put_key(arena, result->attribute_key, &message->attribute_key));
    TRY(put_key(arena, result->object_key, &message->object_key));
    TRY(reply_fields_put(
        arena, bytes_of(result->data.bytes, is_new_data ? ID16_SIZE : 0), &message->data));
    TRY(reply_fields_put(
        arena, bytes_of(result->key_ref, result->key_ref_size), &message->key_ref));
    return reply_fields_put(
        arena, bytes_of(result->bucket.bytes, is_new_bucket ? ID16_SIZE : 0), &message->bucket);
}

static struct status put_results(
    struct arena *arena, const struct key_authorize_item *items,
    const struct key_authorize_result *results, size_t count, Triad__Key__AuthorizeReply *reply)
{
    Triad__Key__AuthorizeResult *messages = arena_zalloc(arena, count, sizeof(*messages));

    reply->results = arena_zalloc(arena, count, sizeof(Triad__Key__AuthorizeResult *));
    if (messages == NULL || reply->results == NULL) {
        return FAIL(NO_MEMORY, "authorize results");
    }
    for (size_t i = 0; i < count; i++) {
        triad__key__authorize_result__init(&messages[i]);
        messages[i].verdict = (Triad__Key__Verdict)results[i].verdict;
        if (results[i].verdict == KEY_ALLOWED) {
            TRY(put_allowed(arena, &items[i], &results[i], &messages[i]));
        }
        reply->results[i] = &messages[i];
    }
    reply->n_results = count;
    return OK;
}

static void wipe_results(struct key_authorize_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        secret_free(results[i].attribute_key);
        secret_free(results[i].object_key);
    }
    OPENSSL_cleanse(results, count * sizeof(*results));
}

static struct status handle_authorize(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__AuthorizeRequest *in = (const void *)request;
    struct arena *arena = rpc_call_arena(call);
    size_t count = in->n_items;

    arena_wipe(arena); /* Keys pass through it. */
    if (count == 0 || count > KEY_AUTHORIZE_ITEMS_MAX) {
        return FAIL(INVALID, "1 to 64 items");
    }
    struct key_authorize_item *items = arena_zalloc(arena, count, sizeof(*items));
    struct key_authorize_result *results = arena_zalloc(arena, count, sizeof(*results));
    if (items == NULL || results == NULL) {
        return FAIL(NO_MEMORY, "authorize items");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(take_item(in->items[i], &items[i]));
    }
    authorize_run(context, rpc_call_peer(call), items, count, arena, results);
    struct status status = put_results(arena, items, results, count, (void *)reply);
    wipe_results(results, count);
    return status;
}

/* ---- what a handle is good for ---- */

static enum key_verdict open_handle(
    struct key_service *service, struct rpc_call *call, const ProtobufCBinaryData *field,
    struct handle *ret_handle)
{
    struct status status = handle_open(
        service->handle_key, field_view(field), rpc_call_peer(call)->cert_sha256,
        (uint64_t)clock_wall_s(), service->options.handle_life_s, ret_handle);

    if (!status_ok(status)) {
        return KEY_FORBIDDEN;
    }
    return identity_prove_again(
        service->identities, bytes_of(ret_handle->access_key, HANDLE_ACCESS_KEY_SIZE),
        &ret_handle->tenant, ret_handle->policy_sha256);
}

/* Tenant active; bucket, where there is one, active and the tenant's. */
static enum key_verdict check_places(struct key_service *service, const struct handle *handle)
{
    BUFFER(tenant_value, KEY_ROW_VALUE_MAX);
    BUFFER(bucket_value, KEY_ROW_VALUE_MAX);
    struct tenant_row tenant;
    struct bucket_row bucket;

    enum key_verdict verdict =
        key_release_tenant(&service->release, &handle->tenant, &tenant_value, &tenant);
    if (verdict != KEY_ALLOWED || id16_is_zero(&handle->bucket)) {
        return verdict;
    }
    verdict = key_release_bucket(&service->release, &handle->bucket, &bucket_value, &bucket);
    if (verdict != KEY_ALLOWED) {
        return verdict;
    }
    bool fits = bucket.state != BUCKET_DELETING && id16_equal(&bucket.tenant, &handle->tenant);
    return fits ? KEY_ALLOWED : KEY_NO_SUCH_BUCKET;
}

static struct status record_handle(
    struct key_service *service, struct rpc_call *call, enum audit_kind kind,
    const struct handle *handle)
{
    struct audit_event event = {
        .kind = kind,
        .number = handle->rights,
        .tenant = handle->tenant,
        .bucket = handle->bucket,
        .subject = handle->data,
    };

    memcpy(event.caller, rpc_call_peer(call)->cert_sha256, sizeof(event.caller));
    memcpy(event.who, handle->access_key, AUDIT_WHO_SIZE);
    return audit_record(service->audit, &event);
}

static struct status renew_grant(
    struct key_service *service, struct rpc_call *call, const struct handle *handle, uint32_t shard,
    Triad__Key__RenewGrantReply *reply)
{
    uint8_t grant[GRANT_SIZE];
    uint64_t exp = (uint64_t)clock_wall_s() + service->options.grant_life_s;

    TRY(grants_mint(
        service->grants, handle->rights, &handle->tenant, &handle->bucket,
        handle->rights == GRANT_LIST_BUCKETS ? 0 : shard, rpc_call_peer(call)->cert_sha256, exp,
        grant));
    TRY(record_handle(service, call, AUDIT_RENEW_GRANT, handle));
    return reply_fields_put(rpc_call_arena(call), BYTES_ARRAY(grant), &reply->grant);
}

static struct status handle_renew_grant(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__RenewGrantRequest *in = (const void *)request;
    Triad__Key__RenewGrantReply *out = (void *)reply;
    struct key_service *service = context;
    struct handle handle;

    enum key_verdict verdict = open_handle(service, call, &in->handle, &handle);
    if (verdict == KEY_ALLOWED) {
        verdict = check_places(service, &handle);
    }
    out->verdict = (Triad__Key__Verdict)verdict;
    return verdict == KEY_ALLOWED ? renew_grant(service, call, &handle, in->shard, out) : OK;
}

/* The chain from seed on, under the signing key of the handle's principal. */
static struct status verify_chain(
    const Triad__Key__VerifyChunksRequest *in, const struct secret *key, uint8_t last[32],
    enum key_verdict *ret_verdict)
{
    uint8_t expected[SIGV4_SIGNATURE_SIZE];

    for (size_t i = 0; i < in->n_chunks; i++) {
        const Triad__Key__ChunkSignature *chunk = in->chunks[i];
        if (chunk->sha256.len != 32 || chunk->signature.len != SIGV4_SIGNATURE_SIZE) {
            return FAIL(INVALID, "chunk signature");
        }
        TRY(sigv4_sign_chunk(
            key, bytes_text(in->date), bytes_text(in->scope), last, chunk->sha256.data, expected));
        if (!sigv4_equal(expected, chunk->signature.data)) {
            *ret_verdict = KEY_BAD_SIGNATURE;
            return OK;
        }
        memcpy(last, expected, sizeof(expected));
    }
    *ret_verdict = KEY_ALLOWED;
    return OK;
}

static struct status signing_key_of(
    struct key_service *service, const struct handle *handle, struct bytes scope,
    struct secret **ret_key)
{
    BUFFER(value, IDENTITY_ROW_VALUE_MAX);
    struct identity_user_row user;
    struct bytes access_key = bytes_of(handle->access_key, HANDLE_ACCESS_KEY_SIZE);
    struct bytes date;
    struct bytes region;

    TRY(sigv4_parse_scope(scope, &date, &region));
    TRY(identity_store_find_user(service->identities, access_key, &value, &user));
    return identity_store_signing_key(
        service->identities, access_key, &user, date, region, ret_key);
}

static struct status handle_verify_chunks(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__VerifyChunksRequest *in = (const void *)request;
    Triad__Key__VerifyChunksReply *out = (void *)reply;
    struct key_service *service = context;
    struct handle handle;
    uint8_t last[32];

    if (in->seed.len != sizeof(last) || in->n_chunks > KEY_VERIFY_CHUNKS_MAX) {
        return FAIL(INVALID, "seed, or more than 512 chunks");
    }
    memcpy(last, in->seed.data, sizeof(last));
    enum key_verdict verdict = open_handle(service, call, &in->handle, &handle);
    if (verdict == KEY_ALLOWED) {
        OWNED(secret) struct secret *key = NULL;
        TRY(signing_key_of(service, &handle, bytes_text(in->scope), &key));
        TRY(verify_chain(in, key, last, &verdict));
    }
    out->verdict = (Triad__Key__Verdict)verdict;
    if (verdict != KEY_ALLOWED) {
        return OK;
    }
    return reply_fields_put(rpc_call_arena(call), BYTES_ARRAY(last), &out->last);
}

static struct status bucket_handle(
    struct key_service *service, struct rpc_call *call, const Triad__Key__BucketStateRequest *in,
    struct handle *ret_handle, struct id16 *ret_bucket)
{
    TRY(reply_fields_take_id(&in->bucket, ret_bucket));
    if (open_handle(service, call, &in->handle, ret_handle) != KEY_ALLOWED) {
        return FAIL(DENIED, "handle of the request that made or deletes the bucket");
    }
    if (!id16_equal(&ret_handle->bucket, ret_bucket)) {
        return FAIL(DENIED, "handle of another bucket");
    }
    return OK;
}

static struct status handle_activate_bucket(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    struct key_service *service = context;
    struct handle handle;
    struct id16 bucket;

    (void)reply;
    TRY(bucket_handle(service, call, (const void *)request, &handle, &bucket));
    if (handle.purpose != HANDLE_CREATES_BUCKET) {
        return FAIL(DENIED, "handle of a CreateBucket request");
    }
    TRY(record_handle(service, call, AUDIT_ACTIVATE_BUCKET, &handle));
    return bucket_states_activate(service->keys_vault, &handle.tenant, &bucket);
}

static struct status handle_drop_bucket(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    struct key_service *service = context;
    struct handle handle;
    struct id16 bucket;

    (void)reply;
    TRY(bucket_handle(service, call, (const void *)request, &handle, &bucket));
    if (handle.purpose == HANDLE_REQUEST) {
        return FAIL(DENIED, "handle of a CreateBucket or DeleteBucket request");
    }
    TRY(record_handle(service, call, AUDIT_DROP_BUCKET, &handle));
    return bucket_states_drop(
        service->keys_vault, &handle.tenant, &bucket, handle.purpose == HANDLE_CREATES_BUCKET);
}

static const struct rpc_method methods[] = {
    {"Authorize", RPC_ROLE_FRONTEND, handle_authorize},
    {"VerifyChunks", RPC_ROLE_FRONTEND, handle_verify_chunks},
    {"RenewGrant", RPC_ROLE_FRONTEND, handle_renew_grant},
    {"ActivateBucket", RPC_ROLE_FRONTEND, handle_activate_bucket},
    {"DropBucket", RPC_ROLE_FRONTEND, handle_drop_bucket},
    {"CreateTenant", RPC_ROLE_OPERATOR, tenant_service_create_tenant},
    {"ListTenants", RPC_ROLE_OPERATOR, tenant_service_list_tenants},
    {"CreateUser", RPC_ROLE_OPERATOR, tenant_service_create_user},
    {"ListUsers", RPC_ROLE_OPERATOR, tenant_service_list_users},
    {"DisableUser", RPC_ROLE_OPERATOR, tenant_service_disable_user},
};

void identity_service_table(struct key_service *service, struct rpc_service *ret_table)
{
    *ret_table = (struct rpc_service){
        .descriptor = &triad__key__identity__descriptor,
        .methods = methods,
        .count = sizeof(methods) / sizeof(methods[0]),
        .context = service,
    };
}
