#include "contentdb/plan.h"

#include "lib/base/check.h"
#include "lib/telemetry/log.h"

struct group {
    const struct plan_env *env;
    struct plan_task *tasks;
    size_t count;
};

struct status plan_settle(struct plan *plan, Triad__Content__Outcome outcome)
{
    CHECK(outcome != OUTCOME(NONE));
    plan->outcome = outcome;
    return FAIL(CONFLICT, "settled without writing");
}

struct status
plan_get(struct plan *plan, struct bytes key, struct bytes *ret_value, bool *ret_found)
{
    struct status status = kv_view_get(plan->view, key, ret_value);
    *ret_found = status_ok(status);
    return status.code == STATUS_NOT_FOUND ? OK : status;
}

struct status plan_seek(
    struct plan *plan, struct bytes from, struct bytes prefix, struct bytes *ret_key,
    struct bytes *ret_value, bool *ret_found)
{
    struct status status = kv_view_seek(plan->view, from, prefix, ret_key, ret_value);
    *ret_found = status_ok(status);
    return status.code == STATUS_NOT_FOUND ? OK : status;
}

struct status plan_put(struct plan *plan, struct bytes key, struct bytes value)
{
    plan->writes++;
    return kv_view_put(plan->view, key, value);
}

struct status plan_put_row(struct plan *plan, struct bytes key, const struct buffer *value)
{
    TRY(buffer_status(value));
    return plan_put(plan, key, buffer_bytes(value));
}

struct status plan_delete(struct plan *plan, struct bytes key)
{
    plan->writes++;
    return kv_view_delete(plan->view, key);
}

/* A task that settled wrote nothing, so the others of its group go on. */
static struct status run_group(struct kv_view *view, void *arg)
{
    struct group *group = arg;
    struct plan plan = {.view = view, .env = group->env};
    for (size_t i = 0; i < group->count; i++) {
        struct plan_task *task = &group->tasks[i];
        size_t writes = plan.writes;
        plan.outcome = OUTCOME(NONE);
        struct status status = task->fn(&plan, task->arg);
        if (status_ok(status)) {
            task->outcome = OUTCOME(DONE);
            task->seq = kv_view_seq(view);
            continue;
        }
        if (plan.outcome == OUTCOME(NONE)) {
            return status;
        }
        CHECK(plan.writes == writes);
        task->outcome = plan.outcome;
        task->seq = 0;
    }
    if (plan.writes == 0) {
        return FAIL(CONFLICT, "nothing to write");
    }
    return OK;
}

static Triad__Content__Outcome outcome_of(struct status status)
{
    if (status.code == STATUS_UNKNOWN) {
        return OUTCOME(UNKNOWN);
    }
    if (status.code == STATUS_FULL) {
        return OUTCOME(FULL);
    }
    if (status.code == STATUS_TOO_LARGE) {
        return OUTCOME(INVALID);
    }
    return OUTCOME(UNAVAILABLE);
}

/* Every task has its outcome when the status is OK or CONFLICT. */
static struct status apply_group(
    struct kv *kv, const struct plan_env *env, struct plan_task *tasks, size_t count,
    int64_t deadline_ms)
{
    struct group group = {.env = env, .tasks = tasks, .count = count};
    uint64_t seq = 0;
    struct status status = kv_apply(kv, run_group, &group, deadline_ms, &seq);
    return status.code == STATUS_CONFLICT ? OK : status;
}

static void give_up(struct plan_task *tasks, size_t count, struct status status)
{
    if (status.code != STATUS_TIMEOUT && status.code != STATUS_FULL) {
        log_event(LOG_WARN, "plan failed", LOG_STATUS(status));
    }
    for (size_t i = 0; i < count; i++) {
        tasks[i].outcome = outcome_of(status);
        tasks[i].seq = 0;
    }
}

/* What cannot have happened and may be one task's fault: too large together, or a damaged row. */
static bool is_divisible(struct status status)
{
    return status.code != STATUS_UNKNOWN && status.code != STATUS_TIMEOUT &&
           status.code != STATUS_FULL;
}

/* Tasks from first on that may share a commit: until a name comes again. */
static size_t group_size(const struct plan_task *tasks, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (bytes_equal(tasks[i].name, tasks[j].name)) {
                return i;
            }
        }
    }
    return count;
}

void plan_apply(
    struct kv *kv, const struct plan_env *env, struct plan_task *tasks, size_t count,
    int64_t deadline_ms)
{
    for (size_t first = 0; first < count;) {
        size_t size = group_size(tasks + first, count - first);
        struct status status = apply_group(kv, env, tasks + first, size, deadline_ms);
        bool is_single = !status_ok(status) && size > 1 && is_divisible(status);
        for (size_t i = 0; is_single && i < size; i++) {
            struct plan_task *task = &tasks[first + i];
            struct status single = apply_group(kv, env, task, 1, deadline_ms);
            if (!status_ok(single)) {
                give_up(task, 1, single);
            }
        }
        if (!status_ok(status) && !is_single) {
            give_up(tasks + first, size, status);
        }
        first += size;
    }
}

Triad__Content__Outcome plan_apply_one(
    struct kv *kv, const struct plan_env *env, plan_fn *fn, void *arg, int64_t deadline_ms,
    uint64_t *ret_seq)
{
    struct plan_task task = {.fn = fn, .arg = arg};
    plan_apply(kv, env, &task, 1, deadline_ms);
    if (ret_seq != NULL) {
        *ret_seq = task.seq;
    }
    return task.outcome;
}
