#include "contentdb/content_repair.h"

#include "contentdb/content_state.h"
#include "contentdb/plan_repair.h"
#include "contentdb/reply_bytes.h"
#include "lib/base/clock.h"

enum { REPAIRS_MAX = 64 };

static struct status check_report(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__ReportRepairRequest *request, struct plan_repair *repair)
{
    struct grant grant;
    TRY(content_state_grant(
        service, call, request->grant, &request->bucket, GRANT_READ | GRANT_WRITE, &grant));
    *repair = (struct plan_repair){
        .bucket = grant.bucket, .page = request->page, .chunk = request->chunk};
    return commit_check_content(request->content, &repair->content);
}

struct status content_repair_report(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__ReportRepairRequest *request = (const void *)message;
    Triad__Content__ReportRepairReply *reply = (void *)answer;
    struct plan_repair repair;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = check_report(context, call, request, &repair);
    reply->outcome =
        status_ok(status)
            ? content_state_apply(context, call, plan_repair_report, &repair, reply->position, NULL)
            : content_state_refused("ReportRepair", status);
    return OK;
}

/* The steward's life is judged here, by the monotonic clock: after a start nobody knows when the
 * steward came last, so it keeps a whole life. */
struct status content_repair_take_steward(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    struct content_service *service = context;
    const Triad__Content__TakeStewardRequest *request = (const void *)message;
    Triad__Content__TakeStewardReply *reply = (void *)answer;
    TRY(content_state_begin(service, call, request->seen, &reply->position));
    LOCKED(&service->steward_mutex); /* Held over the plan: one taker at a time. */
    int64_t now_ms = clock_monotonic_ms();
    struct plan_steward take = {
        .held = request->fence,
        .is_free = now_ms - service->steward_seen_ms > (int64_t)service->options.steward_life_ms,
    };
    Triad__Content__Outcome outcome =
        content_state_apply(service, call, plan_steward_take, &take, reply->position, NULL);
    if (outcome == OUTCOME(UNAVAILABLE) || outcome == OUTCOME(FULL)) {
        return FAIL(UNAVAILABLE, "steward");
    }
    if (outcome != OUTCOME(DONE)) {
        return FAIL(UNKNOWN, "steward");
    }
    if (take.is_active) {
        service->steward_seen_ms = now_ms;
        reply->is_active = 1;
        reply->fence = take.fence;
        reply->life_ms = service->options.steward_life_ms;
    }
    return OK;
}

/* ---------------------------------------------------------------- tasks */

static struct status add_task(
    struct kv_snapshot *snapshot, struct arena *arena, struct bytes key,
    Triad__Content__RepairTask **ret_task)
{
    uint8_t priority = 0;
    struct content content;
    Triad__Content__RepairTask *task = arena_alloc(arena, sizeof(*task));
    if (task == NULL) {
        return FAIL(NO_MEMORY, "repair task");
    }
    triad__content__repair_task__init(task);
    if (!row_key_repair_parse(key, &priority, &content, &task->page, &task->chunk)) {
        return FAIL(CORRUPT, "key of a repair task");
    }
    task->priority = priority;
    TRY(reply_bytes_copy(arena, BYTES_ARRAY(content.bytes), &task->content));
    struct row_key page;
    struct bytes value;
    /* Without pages the content is purged: the steward finishes the task. */
    if (status_ok(
            kv_snapshot_get(snapshot, row_key_manifest(&page, &content, task->page), &value))) {
        TRY(reply_bytes_copy(arena, value, &task->manifest));
    }
    if (status_ok(
            kv_snapshot_get(snapshot, row_key_placement(&page, &content, task->page), &value))) {
        TRY(reply_bytes_copy(arena, value, &task->placement));
    }
    *ret_task = task;
    return OK;
}

static struct status list_tasks(
    struct kv_snapshot *snapshot, struct arena *arena, size_t limit,
    Triad__Content__NextRepairsReply *reply)
{
    struct row_key from;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    reply->tasks = arena_zalloc(arena, limit + 1, sizeof(*reply->tasks));
    if (reply->tasks == NULL) {
        return FAIL(NO_MEMORY, "repair tasks");
    }
    TRY(kv_cursor_seek(snapshot, row_key_prefix(&from, 'Q', bytes_of(NULL, 0)), &cursor));
    while (reply->n_tasks < limit) {
        struct bytes key;
        struct bytes value;
        struct status status = kv_cursor_next(cursor, &key, &value);
        if (status.code == STATUS_NOT_FOUND) {
            return OK;
        }
        TRY(status);
        if (key.data[0] != 'Q') {
            return OK;
        }
        TRY(add_task(snapshot, arena, key, &reply->tasks[reply->n_tasks]));
        reply->n_tasks++;
    }
    return OK;
}

struct steward_check {
    uint32_t fence;
};

/* Writes nothing: DONE if the caller is the steward. */
static struct status check_steward(struct plan *plan, void *arg)
{
    const struct steward_check *check = arg;
    TRY(plan_steward_check(plan, check->fence));
    return plan_settle(plan, OUTCOME(DONE));
}

struct status content_repair_next(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    struct content_service *service = context;
    const Triad__Content__NextRepairsRequest *request = (const void *)message;
    Triad__Content__NextRepairsReply *reply = (void *)answer;
    TRY(content_state_begin(service, call, request->seen, &reply->position));
    struct steward_check check = {.fence = request->steward_fence};
    reply->outcome =
        content_state_apply(service, call, check_steward, &check, reply->position, NULL);
    if (reply->outcome != OUTCOME(DONE)) {
        return OK;
    }
    size_t limit = request->limit < REPAIRS_MAX ? request->limit : REPAIRS_MAX;
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    return list_tasks(snapshot, rpc_call_arena(call), limit, reply);
}

struct status content_repair_reserve(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    struct content_service *service = context;
    const Triad__Content__ReserveRepairRequest *request = (const void *)message;
    Triad__Content__ReserveRepairReply *reply = (void *)answer;
    struct plan_repair repair = {
        .fence = request->steward_fence,
        .page = request->page,
        .chunk = request->chunk,
        .index = request->index,
        .account = request->account,
        .last_account = (uint32_t)atomic_load(&service->last_account),
    };
    TRY(content_state_begin(service, call, request->seen, &reply->position));
    TRY(commit_check_content(request->content, &repair.content));
    reply->outcome =
        content_state_apply(service, call, plan_repair_reserve, &repair, reply->position, NULL);
    reply->copy = reply->outcome == OUTCOME(DONE) ? repair.copy : 0;
    return OK;
}

struct status content_repair_confirm(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__ConfirmRepairRequest *request = (const void *)message;
    Triad__Content__ConfirmRepairReply *reply = (void *)answer;
    struct plan_repair repair = {
        .fence = request->steward_fence,
        .page = request->page,
        .chunk = request->chunk,
        .index = request->index,
        .account = request->account,
        .copy = request->copy,
    };
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    TRY(commit_check_content(request->content, &repair.content));
    reply->outcome =
        content_state_apply(context, call, plan_repair_confirm, &repair, reply->position, NULL);
    return OK;
}

struct status content_repair_finish(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__FinishRepairRequest *request = (const void *)message;
    Triad__Content__FinishRepairReply *reply = (void *)answer;
    struct plan_repair repair = {
        .fence = request->steward_fence,
        .page = request->page,
        .chunk = request->chunk,
        .priority = (uint8_t)request->priority,
    };
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    TRY(commit_check_content(request->content, &repair.content));
    if (request->priority > UINT8_MAX) {
        return FAIL(INVALID, "priority of a repair task");
    }
    reply->outcome =
        content_state_apply(context, call, plan_repair_finish, &repair, reply->position, NULL);
    return OK;
}
