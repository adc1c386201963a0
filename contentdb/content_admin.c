#include "contentdb/content_admin.h"

#include "contentdb/content_state.h"
#include "contentdb/plan_accounts.h"
#include "contentdb/plan_lease.h"
#include "contentdb/reply_bytes.h"
#include "contentdb/upload_sweep.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"
#include "lib/version/version.h"

enum { BUCKETS_MAX = 10000, ACCOUNTS_MAX = 100000, COUNT_MAX = 100000, BUCKET_NAME_MIN = 3 };

/* ---------------------------------------------------------------- buckets */

static struct status check_bucket(
    struct content_service *service, struct rpc_call *call, ProtobufCBinaryData encoded,
    const char *name, struct plan_buckets *ret_bucket)
{
    struct grant grant;
    TRY(content_state_grant(service, call, encoded, NULL, GRANT_ADMIN, &grant));
    *ret_bucket = (struct plan_buckets){
        .bucket = grant.bucket,
        .tenant = grant.tenant,
        .name = bytes_text(name),
        .shard = service->options.shard,
    };
    if (id16_is_zero(&grant.bucket) || ret_bucket->name.size < BUCKET_NAME_MIN ||
        ret_bucket->name.size > ROW_BUCKET_NAME_MAX) {
        return FAIL(INVALID, "name or id of a bucket");
    }
    return OK;
}

struct status content_admin_create_bucket(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__CreateBucketRequest *request = (const void *)message;
    Triad__Content__BucketReply *reply = (void *)answer;
    struct plan_buckets bucket;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = check_bucket(context, call, request->grant, request->name, &bucket);
    if (!status_ok(status)) {
        reply->outcome = content_state_refused("CreateBucket", status);
        return OK;
    }
    reply->outcome =
        content_state_apply(context, call, plan_buckets_create, &bucket, reply->position, NULL);
    if (reply->outcome == OUTCOME(EXISTS)) {
        return reply_bytes_copy(rpc_call_arena(call), id16_view(&bucket.taken_by), &reply->tenant);
    }
    return OK;
}

struct status content_admin_delete_bucket(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__DeleteBucketRequest *request = (const void *)message;
    Triad__Content__BucketReply *reply = (void *)answer;
    struct plan_buckets bucket;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = check_bucket(context, call, request->grant, request->name, &bucket);
    if (!status_ok(status)) {
        reply->outcome = content_state_refused("DeleteBucket", status);
        return OK;
    }
    reply->outcome =
        content_state_apply(context, call, plan_buckets_delete, &bucket, reply->position, NULL);
    if (reply->outcome == OUTCOME(DONE) && bucket.has_uploads) {
        /* The bucket is gone for everybody; what is left of it is garbage. */
        struct status swept = upload_sweep_bucket(context, call, &bucket, reply->position);
        if (!status_ok(swept)) {
            log_event(LOG_WARN, "uploads of a deleted bucket are left", LOG_STATUS(swept));
        }
    }
    return OK;
}

static struct status add_bucket(
    struct arena *arena, struct bytes key, struct bytes value,
    Triad__Content__BucketInfo **ret_info)
{
    struct row_tenant_bucket row;
    TRY(rows_tenant_bucket_decode(value, &row));
    Triad__Content__BucketInfo *info = arena_alloc(arena, sizeof(*info));
    if (info == NULL) {
        return FAIL(NO_MEMORY, "listing of buckets");
    }
    triad__content__bucket_info__init(info);
    info->created_ms = row.created_ms;
    TRY(reply_bytes_text(arena, bytes_from(key, 1 + ID16_SIZE), &info->name));
    *ret_info = info;
    return OK;
}

/* Calls add for each row that starts with prefix. */
typedef struct status
row_fn(struct arena *arena, struct bytes key, struct bytes value, void *context);

static struct status each_row(
    struct kv *kv, struct bytes prefix, size_t limit, struct arena *arena, row_fn *fn,
    void *context)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    TRY(kv_snapshot_take(kv, &snapshot));
    TRY(kv_cursor_seek(snapshot, prefix, &cursor));
    for (size_t i = 0; i < limit; i++) {
        struct bytes key;
        struct bytes value;
        struct status status = kv_cursor_next(cursor, &key, &value);
        if (status.code == STATUS_NOT_FOUND) {
            return OK;
        }
        TRY(status);
        if (!bytes_starts_with(key, prefix)) {
            return OK;
        }
        TRY(fn(arena, key, value, context));
    }
    return OK;
}

static struct status
list_bucket(struct arena *arena, struct bytes key, struct bytes value, void *context)
{
    Triad__Content__ListBucketsReply *reply = context;
    TRY(add_bucket(arena, key, value, &reply->buckets[reply->n_buckets]));
    reply->n_buckets++;
    return OK;
}

static struct status
count_row(struct arena *arena, struct bytes key, struct bytes value, void *count)
{
    (void)arena;
    (void)value;
    *(uint64_t *)count += key.size > 1; /* Not the row of a last number. */
    return OK;
}

struct status content_admin_list_buckets(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    struct content_service *service = context;
    const Triad__Content__ListBucketsRequest *request = (const void *)message;
    Triad__Content__ListBucketsReply *reply = (void *)answer;
    struct grant grant;
    TRY(content_state_begin(service, call, request->seen, &reply->position));
    struct status status =
        content_state_grant(service, call, request->grant, NULL, GRANT_LIST_BUCKETS, &grant);
    if (!status_ok(status)) {
        reply->outcome = content_state_refused("ListBuckets", status);
        return OK;
    }
    struct row_key key;
    struct bytes prefix = row_key_prefix(&key, 'n', id16_view(&grant.tenant));
    uint64_t count = 0;
    TRY(each_row(service->options.kv, prefix, BUCKETS_MAX, NULL, count_row, &count));
    size_t room = (size_t)count + 1;
    reply->buckets = arena_zalloc(rpc_call_arena(call), room, sizeof(*reply->buckets));
    if (reply->buckets == NULL) {
        return FAIL(NO_MEMORY, "listing of buckets");
    }
    reply->outcome = OUTCOME(DONE);
    return each_row(service->options.kv, prefix, room, rpc_call_arena(call), list_bucket, reply);
}

/* ---------------------------------------------------------------- leases */

static struct status status_of(Triad__Content__Outcome outcome, const char *what)
{
    if (outcome == OUTCOME(DONE)) {
        return OK;
    }
    log_event(LOG_WARN, "refused", LOG_TEXT("what", what), LOG_INT("outcome", outcome));
    if (outcome == OUTCOME(UNKNOWN)) {
        return FAIL(UNKNOWN, "commit of a plan");
    }
    return outcome == OUTCOME(FULL) ? FAIL(FULL, "database") : FAIL(UNAVAILABLE, "plan");
}

struct status content_admin_open_lease(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__OpenLeaseRequest *request = (const void *)message;
    Triad__Content__OpenLeaseReply *reply = (void *)answer;
    struct plan_lease lease = {.lease = 0};
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    TRY(status_of(
        content_state_apply(context, call, plan_lease_open, &lease, reply->position, NULL),
        "OpenLease"));
    reply->lease = lease.lease;
    return OK;
}

struct status content_admin_renew_lease(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__RenewLeaseRequest *request = (const void *)message;
    Triad__Content__RenewLeaseReply *reply = (void *)answer;
    struct plan_lease lease = {.lease = request->lease};
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    if (request->lease >> 48 != 0) {
        return FAIL(INVALID, "lease");
    }
    TRY(status_of(
        content_state_apply(context, call, plan_lease_renew, &lease, reply->position, NULL),
        "RenewLease"));
    reply->is_open = lease.is_open;
    return OK;
}

/* ---------------------------------------------------------------- accounts */

static struct status add_account(
    struct arena *arena, uint32_t number, const struct row_account *row,
    Triad__Content__Account **ret_account)
{
    Triad__Content__Account *account = arena_alloc(arena, sizeof(*account));
    if (account == NULL) {
        return FAIL(NO_MEMORY, "listing of accounts");
    }
    triad__content__account__init(account);
    account->number = number;
    account->state = row->state;
    account->durable_lsn = row->durable_lsn;
    TRY(reply_bytes_copy(arena, id16_view(&row->account), &account->account));
    TRY(reply_bytes_copy(arena, id16_view(&row->store_uuid), &account->store_uuid));
    TRY(reply_bytes_text(arena, row->node_id, &account->node_id));
    TRY(reply_bytes_text(arena, row->address, &account->address));
    TRY(reply_bytes_text(arena, row->tls_name, &account->tls_name));
    TRY(reply_bytes_text(arena, row->failure_domain, &account->failure_domain));
    *ret_account = account;
    return OK;
}

struct status content_admin_list_accounts(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    struct content_service *service = context;
    const Triad__Content__ListAccountsRequest *request = (const void *)message;
    Triad__Content__ListAccountsReply *reply = (void *)answer;
    struct arena *arena = rpc_call_arena(call);
    TRY(content_state_begin(service, call, request->seen, &reply->position));
    reply->shards = 1;
    reply->shard_map_epoch = 1;
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    uint32_t last = (uint32_t)atomic_load(&service->last_account);
    reply->accounts = arena_zalloc(arena, (size_t)last + 1, sizeof(*reply->accounts));
    if (reply->accounts == NULL) {
        return FAIL(NO_MEMORY, "listing of accounts");
    }
    for (uint32_t number = 1; number <= last; number++) {
        struct row_key key;
        struct bytes value;
        struct row_account row;
        struct status status = kv_snapshot_get(snapshot, row_key_account(&key, number), &value);
        if (status.code == STATUS_NOT_FOUND) {
            continue;
        }
        TRY(status);
        TRY(rows_account_decode(value, &row));
        TRY(add_account(arena, number, &row, &reply->accounts[reply->n_accounts]));
        reply->n_accounts++;
    }
    return OK;
}

static struct status
check_account(const Triad__Content__Account *account, struct row_account *ret_row)
{
    if (account == NULL) {
        return FAIL(INVALID, "no account");
    }
    *ret_row = (struct row_account){
        .state = account->state == 0 ? 1 : (uint8_t)account->state,
        .durable_lsn = account->durable_lsn,
        .node_id = bytes_text(account->node_id),
        .address = bytes_text(account->address),
        .tls_name = bytes_text(account->tls_name),
        .failure_domain = bytes_text(account->failure_domain),
    };
    TRY(commit_check_id16(account->account, &ret_row->account));
    TRY(commit_check_id16(account->store_uuid, &ret_row->store_uuid));
    if (account->state > 4) {
        return FAIL(INVALID, "state of an account");
    }
    if (ret_row->node_id.size == 0 || ret_row->node_id.size > ROW_TEXT_MAX ||
        ret_row->address.size == 0 || ret_row->address.size > ROW_TEXT_MAX ||
        ret_row->tls_name.size == 0 || ret_row->tls_name.size > ROW_TEXT_MAX ||
        ret_row->failure_domain.size > ROW_TEXT_MAX) {
        return FAIL(INVALID, "node id, address, TLS name or failure domain of an account");
    }
    return OK;
}

struct status content_admin_add_account(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    struct content_service *service = context;
    const Triad__Content__AddAccountRequest *request = (const void *)message;
    Triad__Content__AddAccountReply *reply = (void *)answer;
    Triad__Content__Position *position = NULL;
    struct plan_accounts_new add = {.number = 0};
    TRY(content_state_begin(service, call, NULL, &position));
    TRY(check_account(request->account, &add.account));
    if (atomic_load(&service->last_account) >= ACCOUNTS_MAX) {
        return FAIL(FULL, "number of accounts");
    }
    TRY(status_of(
        content_state_apply(service, call, plan_accounts_add, &add, position, NULL), "AddAccount"));
    reply->number = add.number;
    uint_fast32_t last = atomic_load(&service->last_account);
    while (last < add.number &&
           !atomic_compare_exchange_weak(&service->last_account, &last, add.number)) {
    }
    log_event(LOG_INFO, "account added", LOG_INT("number", add.number));
    return OK;
}

/* ---------------------------------------------------------------- status */

struct status content_admin_status(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    (void)message;
    struct content_service *service = context;
    Triad__Content__StatusReply *reply = (void *)answer;
    struct kv *kv = service->options.kv;
    struct kv_stats stats;
    struct row_key key;
    TRY(content_state_begin(service, call, NULL, &reply->position));
    kv_stats_get(kv, &stats);
    reply->rows = stats.rows;
    reply->row_bytes = stats.row_bytes;
    reply->shard = service->options.shard;
    reply->accounts = (uint32_t)atomic_load(&service->last_account);
    TRY(reply_bytes_text(rpc_call_arena(call), bytes_text(TRIAD_VERSION), &reply->version));
    reply->now_ms = (uint64_t)clock_wall_ms();
    struct bytes none = bytes_of(NULL, 0);
    TRY(each_row(kv, row_key_prefix(&key, 'N', none), COUNT_MAX, NULL, count_row, &reply->buckets));
    TRY(each_row(kv, row_key_prefix(&key, 'Q', none), COUNT_MAX, NULL, count_row, &reply->repairs));
    return each_row(
        kv, row_key_prefix(&key, 'L', none), COUNT_MAX, NULL, count_row, &reply->leases);
}
