#include "keystore/shard_service.h"

#include "keystore/reply_fields.h"
#include "lib/base/clock.h"
#include "lib/version/version.h"

struct grant_keys {
    struct arena *arena;
    Triad__Key__GrantKey **messages;
    size_t count;
};

static struct status
add_grant_key(void *context, uint32_t key_no, uint32_t hour, const struct secret *key)
{
    struct grant_keys *keys = context;
    Triad__Key__GrantKey *message = arena_alloc(keys->arena, sizeof(*message));

    if (message == NULL || keys->count == KEY_SHARD_GRANT_KEYS_MAX) {
        return FAIL(NO_MEMORY, "grant keys");
    }
    triad__key__grant_key__init(message);
    message->key_no = key_no;
    message->hour = hour;
    TRY(reply_fields_put(keys->arena, secret_bytes(key), &message->key));
    keys->messages[keys->count++] = message;
    return OK;
}

static struct status grant_keys_of(
    struct key_service *service, struct arena *arena, uint32_t shard,
    Triad__Key__GrantKey ***ret_messages, size_t *ret_count)
{
    struct grant_keys keys = {.arena = arena};

    keys.messages = arena_zalloc(arena, KEY_SHARD_GRANT_KEYS_MAX, sizeof(Triad__Key__GrantKey *));
    if (keys.messages == NULL) {
        return FAIL(NO_MEMORY, "grant keys");
    }
    TRY(grants_each_key(service->grants, shard, (uint64_t)clock_wall_s(), add_grant_key, &keys));
    *ret_messages = keys.messages;
    *ret_count = keys.count;
    return OK;
}

struct certificate_list {
    struct arena *arena;
    ProtobufCBinaryData *fields;
    size_t count;
    size_t room;
};

static struct status add_certificate(void *context, const struct registry_entry *entry)
{
    struct certificate_list *list = context;
    uint64_t now_s = (uint64_t)clock_wall_s();

    bool is_live = entry->not_after > now_s && (entry->retire_at == 0 || entry->retire_at > now_s);
    if (!is_live || list->count == list->room) {
        return OK; /* One that came since the count is told with the next anchor. */
    }
    return reply_fields_put(list->arena, BYTES_ARRAY(entry->sha256), &list->fields[list->count++]);
}

/* What the content DB admits peers by, so that it forgets a removed certificate within a second. */
static struct status certificates_of(
    struct key_service *service, struct arena *arena, ProtobufCBinaryData **ret_fields,
    size_t *ret_count)
{
    struct certificate_list list = {.arena = arena, .room = registry_count(service->registry)};

    list.fields = arena_zalloc(arena, list.room + 1, sizeof(*list.fields));
    if (list.fields == NULL) {
        return FAIL(NO_MEMORY, "certificates");
    }
    TRY(registry_each(service->registry, add_certificate, &list));
    *ret_fields = list.fields;
    *ret_count = list.count;
    return OK;
}

static struct status
take_wrapped(const Triad__Key__OpenShardRequest *in, struct key_shard_wrapped *wrapped)
{
    if (in->n_deks > KEY_SHARD_DEKS_MAX) {
        return FAIL(INVALID, "too many DEKs");
    }
    for (size_t i = 0; i < in->n_deks; i++) {
        const Triad__Key__WrappedDek *dek = in->deks[i];
        if (dek->wrapped.len > KEY_SHARD_WRAPPED_MAX ||
            (i > 0 && dek->version <= in->deks[i - 1]->version)) {
            return FAIL(INVALID, "wrapped DEKs");
        }
        wrapped[i] =
            (struct key_shard_wrapped){.version = dek->version, .wrapped_size = dek->wrapped.len};
        if (dek->wrapped.len > 0) {
            memcpy(wrapped[i].wrapped, dek->wrapped.data, dek->wrapped.len);
        }
    }
    return OK;
}

static struct status put_anchor(
    struct arena *arena, const struct key_shard_anchor *anchor,
    Triad__Key__ShardAnchor **ret_message)
{
    Triad__Key__ShardAnchor *message = arena_alloc(arena, sizeof(*message));

    if (message == NULL) {
        return FAIL(NO_MEMORY, "anchor");
    }
    triad__key__shard_anchor__init(message);
    message->fence = anchor->fence;
    message->seq = anchor->seq;
    TRY(reply_fields_put(arena, BYTES_ARRAY(anchor->chain_tag), &message->chain_tag));
    *ret_message = message;
    return OK;
}

static struct status
put_dek(struct arena *arena, const struct key_shard_dek *dek, Triad__Key__OpenedDek **ret_message)
{
    Triad__Key__OpenedDek *message = arena_alloc(arena, sizeof(*message));
    Triad__Key__WrappedDek *wrapped = arena_alloc(arena, sizeof(*wrapped));

    if (message == NULL || wrapped == NULL) {
        return FAIL(NO_MEMORY, "DEK");
    }
    triad__key__opened_dek__init(message);
    triad__key__wrapped_dek__init(wrapped);
    message->version = dek->wrapped.version;
    message->wrapped = wrapped;
    wrapped->version = dek->wrapped.version;
    TRY(reply_fields_put(arena, secret_bytes(dek->key), &message->key));
    TRY(reply_fields_put(
        arena, bytes_of(dek->wrapped.wrapped, dek->wrapped.wrapped_size), &wrapped->wrapped));
    TRY(reply_fields_put(
        arena, bytes_of(dek->wrapped.recovery, dek->wrapped.recovery_size),
        &wrapped->recovery_wrapped));
    *ret_message = message;
    return OK;
}

static struct status put_shard(
    struct key_service *service, struct arena *arena, uint32_t number,
    const struct key_shard *shard, Triad__Key__OpenShardReply *reply)
{
    reply->fence = shard->fence;
    reply->min_epoch = grants_epoch(service->grants);
    reply->deks = arena_zalloc(arena, shard->deks_count, sizeof(Triad__Key__OpenedDek *));
    if (reply->deks == NULL) {
        return FAIL(NO_MEMORY, "DEKs");
    }
    for (size_t i = 0; i < shard->deks_count; i++) {
        TRY(put_dek(arena, &shard->deks[i], &reply->deks[i]));
        reply->n_deks++;
    }
    TRY(put_anchor(arena, &shard->anchor, &reply->anchor));
    TRY(certificates_of(service, arena, &reply->certificates, &reply->n_certificates));
    return grant_keys_of(service, arena, number, &reply->grant_keys, &reply->n_grant_keys);
}

struct status shard_service_open_shard(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__OpenShardRequest *in = (const void *)request;
    struct key_service *service = context;
    struct key_shard_wrapped wrapped[KEY_SHARD_DEKS_MAX];
    OWNED(key_shard) struct key_shard *shard = NULL;
    struct id16 db_uuid;
    struct id16 instance;

    arena_wipe(rpc_call_arena(call));
    TRY(reply_fields_take_id(&in->db_uuid, &db_uuid));
    TRY(reply_fields_take_id(&in->instance, &instance));
    TRY(take_wrapped(in, wrapped));
    TRY(shards_open(service->shards, in->shard, &db_uuid, wrapped, in->n_deks, &instance, &shard));
    TRY(key_service_record(service, call, AUDIT_OPEN_SHARD, in->shard, db_uuid.bytes));
    return put_shard(service, rpc_call_arena(call), in->shard, shard, (void *)reply);
}

struct status shard_service_anchor(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__AnchorRequest *in = (const void *)request;
    Triad__Key__AnchorReply *out = (void *)reply;
    struct key_service *service = context;
    struct key_shard_anchor anchor;
    struct id16 instance;

    arena_wipe(rpc_call_arena(call));
    if (in->anchor == NULL || in->anchor->chain_tag.len != sizeof(anchor.chain_tag)) {
        return FAIL(INVALID, "anchor");
    }
    TRY(reply_fields_take_id(&in->instance, &instance));
    anchor.fence = in->anchor->fence;
    anchor.seq = in->anchor->seq;
    memcpy(anchor.chain_tag, in->anchor->chain_tag.data, sizeof(anchor.chain_tag));
    TRY(shards_anchor(service->shards, in->shard, &instance, &anchor));
    out->min_epoch = grants_epoch(service->grants);
    TRY(certificates_of(service, rpc_call_arena(call), &out->certificates, &out->n_certificates));
    return grant_keys_of(
        service, rpc_call_arena(call), in->shard, &out->grant_keys, &out->n_grant_keys);
}

struct status shard_service_create_shard(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__CreateShardRequest *in = (const void *)request;
    Triad__Key__CreateShardReply *out = (void *)reply;
    struct key_service *service = context;
    OWNED(secret) struct secret *code = NULL;

    arena_wipe(rpc_call_arena(call));
    TRY(shards_create(service->shards, in->shard, &code));
    TRY(key_service_record(service, call, AUDIT_CREATE_SHARD, in->shard, NULL));
    if (code == NULL) {
        return OK;
    }
    return reply_fields_put_text(rpc_call_arena(call), secret_bytes(code), &out->recovery_code);
}

/* ---- status ---- */

enum { SHARDS_MAX = 1024 };

struct shard_list {
    struct arena *arena;
    Triad__Key__ShardStatus **messages;
    size_t count;
};

static struct status
add_shard(void *context, uint32_t shard, const struct shard_row *row, int64_t anchored_ms_ago)
{
    struct shard_list *list = context;
    Triad__Key__ShardStatus *message = arena_alloc(list->arena, sizeof(*message));
    struct key_shard_anchor anchor = {.fence = row->anchor_fence, .seq = row->anchor_seq};

    if (message == NULL || list->count == SHARDS_MAX) {
        return FAIL(TOO_LARGE, "shards in a reply");
    }
    triad__key__shard_status__init(message);
    message->shard = shard;
    message->anchored_ms_ago = (uint64_t)(anchored_ms_ago < 0 ? 0 : anchored_ms_ago);
    memcpy(anchor.chain_tag, row->anchor_tag, sizeof(anchor.chain_tag));
    TRY(put_anchor(list->arena, &anchor, &message->anchor));
    list->messages[list->count++] = message;
    return OK;
}

static struct status count_rows(struct key_service *service, Triad__Key__StatusReply *reply)
{
    TRY(identity_store_count(service->identities, &reply->tenants, &reply->users));
    TRY(vault_count(service->keys_vault, bytes_text("B"), &reply->buckets));
    return vault_count(service->keys_vault, bytes_text("A"), &reply->accounts);
}

struct status shard_service_status(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    Triad__Key__StatusReply *out = (void *)reply;
    struct key_service *service = context;
    struct shard_list list = {.arena = rpc_call_arena(call)};

    (void)request;
    list.messages = arena_zalloc(list.arena, SHARDS_MAX, sizeof(Triad__Key__ShardStatus *));
    if (list.messages == NULL) {
        return FAIL(NO_MEMORY, "shards");
    }
    TRY(reply_fields_put_text(list.arena, bytes_text(TRIAD_VERSION), &out->version));
    out->now_ms = (uint64_t)clock_wall_ms();
    out->is_delegated = keysets_is_delegated(service->keysets);
    out->certificates = registry_count(service->registry);
    out->audit_records = audit_records(service->audit);
    TRY(count_rows(service, out));
    TRY(shards_each(service->shards, add_shard, &list));
    out->shards = list.messages;
    out->n_shards = list.count;
    return OK;
}
