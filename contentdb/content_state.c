#include "contentdb/content_state.h"

#include "lib/base/clock.h"
#include "lib/telemetry/log.h"

static void update_position(struct content_service *service, Triad__Content__Position *position)
{
    struct kv_anchor anchor;
    kv_anchor_get(service->options.kv, &anchor);
    position->fence = service->options.fence;
    position->seq = anchor.seq;
}

struct status content_state_begin(
    struct content_service *service, struct rpc_call *call, const Triad__Content__Position *seen,
    Triad__Content__Position **ret_position)
{
    if (seen != NULL && seen->fence > service->options.fence) {
        if (service->options.on_superseded != NULL) {
            service->options.on_superseded(service->options.context, seen->fence);
        }
        return FAIL(STALE, "another instance has the shard");
    }
    Triad__Content__Position *position =
        arena_alloc(rpc_call_arena(call), sizeof(Triad__Content__Position));
    if (position == NULL) {
        return FAIL(NO_MEMORY, "position");
    }
    triad__content__position__init(position);
    update_position(service, position);
    *ret_position = position;
    return OK;
}

struct status content_state_grant(
    struct content_service *service, struct rpc_call *call, ProtobufCBinaryData grant,
    const ProtobufCBinaryData *bucket, unsigned rights, struct grant *ret_grant)
{
    TRY(grant_gate_check(
        service->options.gate, bytes_of(grant.data, grant.len), (uint64_t)clock_wall_s(),
        rpc_call_peer(call)->cert_sha256, rights, ret_grant));
    if (bucket == NULL) {
        return OK;
    }
    struct bytes granted = id16_view(&ret_grant->bucket);
    return bytes_equal(granted, bytes_of(bucket->data, bucket->len))
               ? OK
               : FAIL(DENIED, "the grant is of another bucket");
}

void content_state_apply_all(
    struct content_service *service, struct rpc_call *call, struct plan_task *tasks, size_t count,
    Triad__Content__Position *position)
{
    const struct content_service_options *options = &service->options;
    if (options->is_writable != NULL && !options->is_writable(options->context)) {
        for (size_t i = 0; i < count; i++) {
            tasks[i].outcome = OUTCOME(UNAVAILABLE);
        }
        return;
    }
    const struct plan_env env = {
        .now_ms = (uint64_t)clock_wall_ms(),
        .quarantine_ms = options->quarantine_ms,
        .fence = options->fence,
        .uri = rpc_call_peer(call)->uri,
        .cert_sha256 = rpc_call_peer(call)->cert_sha256,
    };
    plan_apply(options->kv, &env, tasks, count, rpc_call_deadline_ms(call));
    update_position(service, position);
}

Triad__Content__Outcome content_state_apply(
    struct content_service *service, struct rpc_call *call, plan_fn *fn, void *arg,
    Triad__Content__Position *position, uint64_t *ret_seq)
{
    struct plan_task task = {.fn = fn, .arg = arg};
    content_state_apply_all(service, call, &task, 1, position);
    if (ret_seq != NULL) {
        *ret_seq = task.seq;
    }
    return task.outcome;
}

Triad__Content__Outcome content_state_refused(const char *what, struct status status)
{
    if (status.code == STATUS_DENIED) {
        return OUTCOME(DENIED);
    }
    log_event(LOG_WARN, "request refused", LOG_TEXT("what", what), LOG_STATUS(status));
    return status.code == STATUS_INVALID ? OUTCOME(INVALID) : OUTCOME(UNAVAILABLE);
}
