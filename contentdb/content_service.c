#include "contentdb/content_service.h"

#include "contentdb/content_admin.h"
#include "contentdb/content_multipart.h"
#include "contentdb/content_read.h"
#include "contentdb/content_repair.h"
#include "contentdb/content_state.h"
#include "contentdb/content_write.h"
#include "lib/base/clock.h"

#include <stdlib.h>

enum {
    FRONTEND = RPC_ROLE_FRONTEND,
    STEWARD = RPC_ROLE_STEWARD,
    OPERATOR = RPC_ROLE_OPERATOR,
};

static const struct rpc_method methods[] = {
    {"ResolveBucket", FRONTEND, content_read_resolve_bucket},
    {"ListAccounts", FRONTEND | STEWARD | OPERATOR, content_admin_list_accounts},
    {"OpenLease", FRONTEND, content_admin_open_lease},
    {"RenewLease", FRONTEND, content_admin_renew_lease},
    {"CreateBucket", FRONTEND, content_admin_create_bucket},
    {"DeleteBucket", FRONTEND, content_admin_delete_bucket},
    {"ListBuckets", FRONTEND, content_admin_list_buckets},
    {"Lookup", FRONTEND, content_read_lookup},
    {"Pages", FRONTEND, content_read_pages},
    {"List", FRONTEND, content_read_list},
    {"Commit", FRONTEND, content_write_commit},
    {"Resolve", FRONTEND, content_write_resolve},
    {"CreateUpload", FRONTEND, content_multipart_create},
    {"ListParts", FRONTEND, content_multipart_list_parts},
    {"CompleteUpload", FRONTEND, content_multipart_complete},
    {"AbortUpload", FRONTEND, content_multipart_abort},
    {"ListUploads", FRONTEND, content_multipart_list_uploads},
    {"ReportRepair", FRONTEND, content_repair_report},
    {"TakeSteward", STEWARD, content_repair_take_steward},
    {"NextRepairs", STEWARD, content_repair_next},
    {"ReserveRepair", STEWARD, content_repair_reserve},
    {"ConfirmRepair", STEWARD, content_repair_confirm},
    {"FinishRepair", STEWARD, content_repair_finish},
    {"AddAccount", OPERATOR, content_admin_add_account},
    {"Status", OPERATOR, content_admin_status},
};

static struct status read_last_account(struct kv *kv, uint64_t *ret_last)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    struct row_key key;
    struct bytes value;
    TRY(kv_snapshot_take(kv, &snapshot));
    struct status status = kv_snapshot_get(snapshot, row_key_last_account(&key), &value);
    *ret_last = 0;
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    return rows_last_decode(value, ret_last);
}

struct status content_service_new(
    const struct content_service_options *options, struct content_service **ret_service)
{
    uint64_t last_account = 0;
    TRY(read_last_account(options->kv, &last_account));
    struct content_service *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        return FAIL(NO_MEMORY, "content service");
    }
    service->options = *options;
    atomic_init(&service->last_account, (uint_fast32_t)last_account);
    pthread_mutex_init(&service->steward_mutex, NULL);
    service->steward_seen_ms = clock_monotonic_ms();
    *ret_service = service;
    return OK;
}

void content_service_free(struct content_service *service)
{
    if (service != NULL) {
        pthread_mutex_destroy(&service->steward_mutex);
        free(service);
    }
}

struct rpc_service content_service_describe(struct content_service *service)
{
    return (struct rpc_service){
        .descriptor = &triad__content__content__descriptor,
        .methods = methods,
        .count = sizeof(methods) / sizeof(methods[0]),
        .context = service,
    };
}
