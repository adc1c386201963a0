#include "contentdb/content_client.h"
#include "contentdb/content_client_call.h"

/* The calls that only fill a request and read an answer. */

static struct id16 id_of(ProtobufCBinaryData field)
{
    struct id16 id = {{0}};
    if (field.len == ID16_SIZE) {
        memcpy(id.bytes, field.data, ID16_SIZE);
    }
    return id;
}

/* ---------------------------------------------------------------- without a grant */

struct status content_client_resolve_bucket(
    struct content_client *client, const char *name, int64_t deadline_ms,
    struct content_bucket *ret_bucket)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    Triad__Content__ResolveBucketRequest request = TRIAD__CONTENT__RESOLVE_BUCKET_REQUEST__INIT;
    memcpy(&request.name, &name, sizeof(name)); /* Packed, never changed. */
    TRY(content_client_call(client, "ResolveBucket", &request.base, deadline_ms, &reply));
    const Triad__Content__ResolveBucketReply *answer = (const void *)content_reply_message(reply);
    *ret_bucket = (struct content_bucket){
        .is_found = answer->is_found != 0,
        .bucket = id_of(answer->bucket),
        .tenant = id_of(answer->tenant),
        .shard = answer->shard,
    };
    return OK;
}

struct status content_client_list_accounts(
    struct content_client *client, int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListAccountsReply **ret_accounts)
{
    Triad__Content__ListAccountsRequest request = TRIAD__CONTENT__LIST_ACCOUNTS_REQUEST__INIT;
    TRY(content_client_call(client, "ListAccounts", &request.base, deadline_ms, ret_reply));
    *ret_accounts = (const void *)content_reply_message(*ret_reply);
    return OK;
}

struct status
content_client_open_lease(struct content_client *client, int64_t deadline_ms, uint64_t *ret_lease)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    Triad__Content__OpenLeaseRequest request = TRIAD__CONTENT__OPEN_LEASE_REQUEST__INIT;
    TRY(content_client_call(client, "OpenLease", &request.base, deadline_ms, &reply));
    const Triad__Content__OpenLeaseReply *answer = (const void *)content_reply_message(reply);
    *ret_lease = answer->lease;
    return OK;
}

struct status content_client_renew_lease(
    struct content_client *client, uint64_t lease, int64_t deadline_ms, bool *ret_is_open)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    Triad__Content__RenewLeaseRequest request = TRIAD__CONTENT__RENEW_LEASE_REQUEST__INIT;
    request.lease = lease;
    TRY(content_client_call(client, "RenewLease", &request.base, deadline_ms, &reply));
    const Triad__Content__RenewLeaseReply *answer = (const void *)content_reply_message(reply);
    *ret_is_open = answer->is_open != 0;
    return OK;
}

/* ---------------------------------------------------------------- buckets */

static struct status bucket_call(
    struct content_client *client, const char *method, const ProtobufCMessage *request,
    int64_t deadline_ms, struct content_bucket_answer *ret_answer)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    TRY(content_client_call(client, method, request, deadline_ms, &reply));
    const Triad__Content__BucketReply *answer = (const void *)content_reply_message(reply);
    *ret_answer =
        (struct content_bucket_answer){.outcome = answer->outcome, .tenant = id_of(answer->tenant)};
    return OK;
}

struct status content_client_create_bucket(
    struct content_client *client, const Triad__Content__CreateBucketRequest *request,
    int64_t deadline_ms, struct content_bucket_answer *ret_answer)
{
    return bucket_call(client, "CreateBucket", &request->base, deadline_ms, ret_answer);
}

struct status content_client_delete_bucket(
    struct content_client *client, const Triad__Content__DeleteBucketRequest *request,
    int64_t deadline_ms, struct content_bucket_answer *ret_answer)
{
    return bucket_call(client, "DeleteBucket", &request->base, deadline_ms, ret_answer);
}

struct status content_client_list_buckets(
    struct content_client *client, const Triad__Content__ListBucketsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListBucketsReply **ret_buckets)
{
    TRY(content_client_call(client, "ListBuckets", &request->base, deadline_ms, ret_reply));
    *ret_buckets = (const void *)content_reply_message(*ret_reply);
    return OK;
}

/* ---------------------------------------------------------------- repair */

struct status content_client_report_repair(
    struct content_client *client, const Triad__Content__ReportRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    TRY(content_client_call(client, "ReportRepair", &request->base, deadline_ms, &reply));
    const Triad__Content__ReportRepairReply *answer = (const void *)content_reply_message(reply);
    *ret_outcome = answer->outcome;
    return OK;
}

struct status content_client_take_steward(
    struct content_client *client, uint32_t fence, int64_t deadline_ms,
    struct content_steward *ret_steward)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    Triad__Content__TakeStewardRequest request = TRIAD__CONTENT__TAKE_STEWARD_REQUEST__INIT;
    request.fence = fence;
    TRY(content_client_call(client, "TakeSteward", &request.base, deadline_ms, &reply));
    const Triad__Content__TakeStewardReply *answer = (const void *)content_reply_message(reply);
    *ret_steward = (struct content_steward){
        .is_active = answer->is_active != 0, .fence = answer->fence, .life_ms = answer->life_ms};
    return OK;
}

struct status content_client_next_repairs(
    struct content_client *client, const Triad__Content__NextRepairsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__NextRepairsReply **ret_repairs)
{
    TRY(content_client_call(client, "NextRepairs", &request->base, deadline_ms, ret_reply));
    *ret_repairs = (const void *)content_reply_message(*ret_reply);
    return OK;
}

struct status content_client_reserve_repair(
    struct content_client *client, const Triad__Content__ReserveRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome, uint32_t *ret_copy)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    TRY(content_client_call(client, "ReserveRepair", &request->base, deadline_ms, &reply));
    const Triad__Content__ReserveRepairReply *answer = (const void *)content_reply_message(reply);
    *ret_outcome = answer->outcome;
    *ret_copy = answer->copy;
    return OK;
}

struct status content_client_confirm_repair(
    struct content_client *client, const Triad__Content__ConfirmRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    TRY(content_client_call(client, "ConfirmRepair", &request->base, deadline_ms, &reply));
    const Triad__Content__ConfirmRepairReply *answer = (const void *)content_reply_message(reply);
    *ret_outcome = answer->outcome;
    return OK;
}

struct status content_client_finish_repair(
    struct content_client *client, const Triad__Content__FinishRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    TRY(content_client_call(client, "FinishRepair", &request->base, deadline_ms, &reply));
    const Triad__Content__FinishRepairReply *answer = (const void *)content_reply_message(reply);
    *ret_outcome = answer->outcome;
    return OK;
}

/* ---------------------------------------------------------------- operators */

struct status content_client_add_account(
    struct content_client *client, const Triad__Content__Account *account, int64_t deadline_ms,
    uint32_t *ret_number)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    Triad__Content__AddAccountRequest request = TRIAD__CONTENT__ADD_ACCOUNT_REQUEST__INIT;
    memcpy(&request.account, &account, sizeof(account)); /* Packed, never changed. */
    TRY(content_client_call(client, "AddAccount", &request.base, deadline_ms, &reply));
    const Triad__Content__AddAccountReply *answer = (const void *)content_reply_message(reply);
    *ret_number = answer->number;
    return OK;
}

struct status content_client_status(
    struct content_client *client, int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__StatusReply **ret_status)
{
    Triad__Content__StatusRequest request = TRIAD__CONTENT__STATUS_REQUEST__INIT;
    TRY(content_client_call(client, "Status", &request.base, deadline_ms, ret_reply));
    *ret_status = (const void *)content_reply_message(*ret_reply);
    return OK;
}
