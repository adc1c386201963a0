#pragma once

/* A named thread that its owner starts and joins. All signals are blocked in it. */

#include "lib/base/status.h"

#include <pthread.h>
#include <stdint.h>

typedef void task_fn(void *context);

struct task {
    pthread_t thread;
    bool is_running;
};

/* Run fn(context) in a thread called name (at most 15 characters). */
MUST_CHECK struct status
task_start(struct task *task, const char *name, task_fn *fn, void *context);

/* Wait for the thread; does nothing for a task that is not running. The caller told it to end. */
void task_join(struct task *task);

/* A condition variable on CLOCK_MONOTONIC, and a wait until a deadline of clock_monotonic_ms;
 * false when the time is over. */
void task_condition_init(pthread_cond_t *condition);
bool task_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms);
