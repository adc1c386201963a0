#include "keystore/tenant_service.h"

#include "keystore/reply_fields.h"
#include "lib/crypto/random.h"

static struct status record_admin(
    struct key_service *service, struct rpc_call *call, enum audit_kind kind,
    const struct id16 *tenant, struct bytes access_key)
{
    struct audit_event event = {.kind = kind, .tenant = *tenant};

    memcpy(event.caller, rpc_call_peer(call)->cert_sha256, sizeof(event.caller));
    if (access_key.size == AUDIT_WHO_SIZE) {
        memcpy(event.who, access_key.data, AUDIT_WHO_SIZE);
    }
    return audit_record(service->audit, &event);
}

/* The Keys partition first: a tenant that Identity knows always has its key. */
static struct status make_tenant(struct key_service *service, struct id16 *ret_tenant)
{
    BUFFER(row, KEY_ROW_VALUE_MAX);

    TRY(random_bytes(ret_tenant->bytes, ID16_SIZE));
    TRY(key_hierarchy_make_tenant(service->hierarchy, ret_tenant, &row));
    struct key_row_key key = key_row_tenant(ret_tenant);
    return vault_put(service->keys_vault, key_row_view(&key), buffer_bytes(&row));
}

struct status tenant_service_create_tenant(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__CreateTenantRequest *in = (const void *)request;
    Triad__Key__CreateTenantReply *out = (void *)reply;
    struct key_service *service = context;
    OWNED(secret) struct secret *admin_key = NULL;
    struct id16 tenant;

    arena_wipe(rpc_call_arena(call));
    if (!identity_store_name_is_valid(bytes_text(in->name))) {
        return FAIL(INVALID, "a tenant's name is 1 to 63 of letters, digits, . _ -");
    }
    if (status_ok(identity_store_find_tenant(service->identities, bytes_text(in->name), &tenant))) {
        return FAIL(EXISTS, "there is a tenant of that name");
    }
    TRY(identity_store_new_admin_key(&admin_key));
    TRY(make_tenant(service, &tenant));
    TRY(record_admin(service, call, AUDIT_CREATE_TENANT, &tenant, bytes_of(NULL, 0)));
    TRY(identity_store_add_tenant(service->identities, bytes_text(in->name), &tenant, admin_key));
    TRY(reply_fields_put(rpc_call_arena(call), id16_view(&tenant), &out->tenant));
    return reply_fields_put_text(rpc_call_arena(call), secret_bytes(admin_key), &out->admin_key);
}

enum { LIST_MAX = 10000 };

/* Messages gathered from a walk: count is not known before. */
struct listing {
    struct key_service *service;
    struct arena *arena;
    void **messages; /* Of LIST_MAX, in the arena. */
    size_t count;
};

static struct status
start_listing(struct key_service *service, struct rpc_call *call, struct listing *ret)
{
    *ret = (struct listing){.service = service, .arena = rpc_call_arena(call)};
    ret->messages = arena_zalloc(ret->arena, LIST_MAX, sizeof(void *));
    return ret->messages == NULL ? FAIL(NO_MEMORY, "list") : OK;
}

static struct status list_room(const struct listing *listing)
{
    return listing->count < LIST_MAX ? OK : FAIL(TOO_LARGE, "too many to list");
}

static const char *state_name(enum tenant_state state)
{
    switch (state) {
    case TENANT_ACTIVE:
        return "active";
    case TENANT_DISABLED:
        return "disabled";
    case TENANT_PURGING:
        return "purging";
    case TENANT_DESTROYED:
        return "destroyed";
    }
    return "?";
}

struct bucket_count {
    const struct id16 *tenant;
    uint32_t count;
};

static struct status count_bucket(void *context, struct bytes key, struct bytes value)
{
    struct bucket_count *counting = context;
    struct bucket_row row;

    (void)key;
    TRY(key_row_decode_bucket(value, &row));
    if (id16_equal(&row.tenant, counting->tenant) && row.state == BUCKET_ACTIVE) {
        counting->count++;
    }
    return OK;
}

static struct status
fill_tenant(struct listing *listing, const struct id16 *tenant, Triad__Key__TenantInfo *message)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct tenant_row row;
    struct key_row_key key = key_row_tenant(tenant);
    struct bucket_count counting = {.tenant = tenant};

    TRY(vault_get(listing->service->keys_vault, key_row_view(&key), &value));
    TRY(key_row_decode_tenant(buffer_bytes(&value), &row));
    TRY(reply_fields_put_text(listing->arena, bytes_text(state_name(row.state)), &message->state));
    TRY(identity_store_count_users(listing->service->identities, tenant, &message->users));
    TRY(vault_walk(listing->service->keys_vault, bytes_text("B"), count_bucket, &counting));
    message->buckets = counting.count;
    return reply_fields_put(listing->arena, id16_view(tenant), &message->tenant);
}

static struct status
list_tenant(void *context, struct bytes name, const struct identity_tenant_row *tenant)
{
    struct listing *listing = context;
    Triad__Key__TenantInfo *message = arena_alloc(listing->arena, sizeof(*message));

    TRY(list_room(listing));
    if (message == NULL) {
        return FAIL(NO_MEMORY, "tenant in a list");
    }
    triad__key__tenant_info__init(message);
    TRY(reply_fields_put_text(listing->arena, name, &message->name));
    TRY(fill_tenant(listing, &tenant->tenant, message));
    listing->messages[listing->count++] = message;
    return OK;
}

struct status tenant_service_list_tenants(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    Triad__Key__ListTenantsReply *out = (void *)reply;
    struct key_service *service = context;
    struct listing listing;

    (void)request;
    TRY(start_listing(service, call, &listing));
    TRY(identity_store_each_tenant(service->identities, list_tenant, &listing));
    out->tenants = (Triad__Key__TenantInfo **)(void *)listing.messages;
    out->n_tenants = listing.count;
    return OK;
}

static struct status take_policy(const Triad__Key__CreateUserRequest *in, struct policy *ret_policy)
{
    if (in->n_policy > POLICY_STATEMENTS_MAX) {
        return FAIL(INVALID, "too many policy statements");
    }
    *ret_policy = (struct policy){.count = in->n_policy};
    for (size_t i = 0; i < in->n_policy; i++) {
        const Triad__Key__PolicyStatement *message = in->policy[i];
        struct policy_statement *statement = &ret_policy->statements[i];
        for (size_t j = 0; j < message->n_actions; j++) {
            uint8_t action = policy_action_of(message->actions[j]);
            if (action == 0) {
                return FAIL(INVALID, "an action is read, write, delete, list, admin or all");
            }
            statement->actions |= action;
        }
        if (statement->actions == 0) {
            return FAIL(INVALID, "policy statement without an action");
        }
        statement->resource = bytes_text(message->resource);
        TRY(policy_check_resource(statement->resource));
    }
    return OK;
}

struct status tenant_service_create_user(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__CreateUserRequest *in = (const void *)request;
    Triad__Key__CreateUserReply *out = (void *)reply;
    struct key_service *service = context;
    OWNED(secret) struct secret *secret = NULL;
    char access_key[IDENTITY_ACCESS_KEY_SIZE + 1];
    struct id16 tenant;
    struct policy policy;

    arena_wipe(rpc_call_arena(call));
    TRY(identity_store_check_admin(
        service->identities, bytes_text(in->tenant), bytes_text(in->admin_key), &tenant));
    if (!identity_store_name_is_valid(bytes_text(in->name))) {
        return FAIL(INVALID, "a user's name is 1 to 63 of letters, digits, . _ -");
    }
    TRY(take_policy(in, &policy));
    TRY(identity_store_add_user(
        service->identities, &tenant, bytes_text(in->name), &policy, access_key, &secret));
    TRY(record_admin(service, call, AUDIT_CREATE_USER, &tenant, bytes_text(access_key)));
    TRY(reply_fields_put_text(rpc_call_arena(call), bytes_text(access_key), &out->access_key));
    return reply_fields_put_text(rpc_call_arena(call), secret_bytes(secret), &out->secret_key);
}

static struct status fill_statement(
    struct arena *arena, const struct policy_statement *from, Triad__Key__PolicyStatement *to)
{
    static const char *const words[] = {"read", "write", "delete", "list", "admin"};

    triad__key__policy_statement__init(to);
    to->actions = arena_zalloc(arena, 5, sizeof(char *));
    if (to->actions == NULL) {
        return FAIL(NO_MEMORY, "policy in a list");
    }
    for (unsigned i = 0; i < 5; i++) {
        if ((from->actions & (1U << i)) != 0) {
            TRY(reply_fields_put_text(arena, bytes_text(words[i]), &to->actions[to->n_actions]));
            to->n_actions++;
        }
    }
    return reply_fields_put_text(arena, from->resource, &to->resource);
}

static struct status
fill_policy(struct arena *arena, const struct policy *policy, Triad__Key__UserInfo *message)
{
    message->policy = arena_zalloc(arena, policy->count + 1, sizeof(Triad__Key__PolicyStatement *));
    Triad__Key__PolicyStatement *statements =
        arena_zalloc(arena, policy->count + 1, sizeof(*statements));
    if (message->policy == NULL || statements == NULL) {
        return FAIL(NO_MEMORY, "policy in a list");
    }
    for (size_t i = 0; i < policy->count; i++) {
        TRY(fill_statement(arena, &policy->statements[i], &statements[i]));
        message->policy[i] = &statements[i];
    }
    message->n_policy = policy->count;
    return OK;
}

static struct status
list_user(void *context, struct bytes access_key, const struct identity_user_row *user)
{
    struct listing *listing = context;
    Triad__Key__UserInfo *message = arena_alloc(listing->arena, sizeof(*message));

    TRY(list_room(listing));
    if (message == NULL) {
        return FAIL(NO_MEMORY, "user in a list");
    }
    triad__key__user_info__init(message);
    TRY(reply_fields_put_text(listing->arena, user->name, &message->name));
    TRY(reply_fields_put_text(listing->arena, access_key, &message->access_key));
    message->is_active = user->is_active;
    TRY(fill_policy(listing->arena, &user->policy, message));
    listing->messages[listing->count++] = message;
    return OK;
}

struct status tenant_service_list_users(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__ListUsersRequest *in = (const void *)request;
    Triad__Key__ListUsersReply *out = (void *)reply;
    struct key_service *service = context;
    struct listing listing;
    struct id16 tenant;

    TRY(identity_store_find_tenant(service->identities, bytes_text(in->tenant), &tenant));
    TRY(start_listing(service, call, &listing));
    TRY(identity_store_each_user(service->identities, &tenant, list_user, &listing));
    out->users = (Triad__Key__UserInfo **)(void *)listing.messages;
    out->n_users = listing.count;
    return OK;
}

struct status tenant_service_disable_user(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__DisableUserRequest *in = (const void *)request;
    struct key_service *service = context;
    struct id16 tenant;

    (void)reply;
    TRY(identity_store_check_admin(
        service->identities, bytes_text(in->tenant), bytes_text(in->admin_key), &tenant));
    TRY(record_admin(service, call, AUDIT_DISABLE_USER, &tenant, bytes_text(in->access_key)));
    return identity_store_disable_user(service->identities, &tenant, bytes_text(in->access_key));
}
