#include "steward/repair.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/telemetry/log.h"
#include "steward/repair_metrics.h"
#include "steward/repair_task.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { TASKS_A_TURN = 16 };

struct repair {
    struct repair_options options;
    struct task thread;
    atomic_bool is_stopping;
    uint32_t fence;         /* Of the lease; 0: none was held. */
    int64_t lease_until_ms; /* Take it again before. */
};

/* Take or renew the lease on being the active steward, at half of its life. */
static bool hold_lease(struct repair *repair)
{
    int64_t now = clock_monotonic_ms();
    if (now < repair->lease_until_ms) {
        return true;
    }
    struct content_steward steward;
    struct status status = content_client_take_steward(
        repair->options.content, repair->fence, now + repair->options.call_timeout_ms, &steward);
    if (!status_ok(status) || !steward.is_active) {
        metric_set(&repair_metrics()->is_active, 0);
        return false;
    }
    if (steward.fence != repair->fence) {
        log_event(LOG_INFO, "this steward is the active one", LOG_INT("fence", steward.fence));
    }
    repair->fence = steward.fence;
    repair->lease_until_ms = now + (int64_t)steward.life_ms / 2;
    metric_set(&repair_metrics()->is_active, 1);
    return true;
}

/* Run the tasks of one answer; the number that were finished. */
static size_t run_tasks(struct repair *repair, const Triad__Content__NextRepairsReply *tasks)
{
    size_t finished = 0;
    for (size_t i = 0; i < tasks->n_tasks && !atomic_load(&repair->is_stopping); i++) {
        if (!hold_lease(repair)) {
            break;
        }
        struct status status = repair_task_run(&repair->options, repair->fence, tasks->tasks[i]);
        if (status_ok(status)) {
            finished++;
            continue;
        }
        metric_add(&repair_metrics()->failed, 1);
        log_event(
            LOG_WARN, "repair will be tried again",
            LOG_HEX(
                "content", bytes_of(tasks->tasks[i]->content.data, tasks->tasks[i]->content.len)),
            LOG_INT("page", tasks->tasks[i]->page), LOG_INT("chunk", tasks->tasks[i]->chunk),
            LOG_STATUS(status));
        if (status.code == STATUS_DENIED) {
            repair->fence = 0;
            repair->lease_until_ms = 0;
            break;
        }
    }
    return finished;
}

static size_t turn(struct repair *repair)
{
    if (!hold_lease(repair)) {
        return 0;
    }
    Triad__Content__NextRepairsRequest request = TRIAD__CONTENT__NEXT_REPAIRS_REQUEST__INIT;
    request.steward_fence = repair->fence;
    request.limit = TASKS_A_TURN;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__NextRepairsReply *tasks = NULL;
    struct status status = content_client_next_repairs(
        repair->options.content, &request, clock_monotonic_ms() + repair->options.call_timeout_ms,
        &reply, &tasks);
    if (!status_ok(status)) {
        return 0;
    }
    if (tasks->outcome == TRIAD__CONTENT__OUTCOME__DENIED) {
        repair->fence = 0;
        repair->lease_until_ms = 0;
        return 0;
    }
    return run_tasks(repair, tasks);
}

static void run(void *context)
{
    struct repair *repair = context;
    while (!atomic_load(&repair->is_stopping)) {
        if (turn(repair) > 0) {
            continue;
        }
        /* In short steps, so that a stop is quick. */
        int64_t until = clock_monotonic_ms() + repair->options.idle_interval_ms;
        while (clock_monotonic_ms() < until && !atomic_load(&repair->is_stopping)) {
            clock_sleep_ms(20);
        }
    }
}

struct status repair_start(const struct repair_options *options, struct repair **ret_repair)
{
    OWNED(repair) struct repair *repair = calloc(1, sizeof(*repair));
    if (repair == NULL) {
        return FAIL(NO_MEMORY, "repair");
    }
    repair->options = *options;
    TRY(task_start(&repair->thread, "repair", run, repair));
    *ret_repair = TAKE(repair);
    return OK;
}

void repair_free(struct repair *repair)
{
    if (repair != NULL) {
        atomic_store(&repair->is_stopping, true);
        task_join(&repair->thread);
        free(repair);
    }
}
