#include "lib/base/task.h"

#include "lib/base/check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct task_start_arg {
    task_fn *fn;
    void *context;
};

static void *run(void *argument)
{
    struct task_start_arg start = *(struct task_start_arg *)argument;
    free(argument);
    start.fn(start.context);
    return NULL;
}

struct status task_start(struct task *task, const char *name, task_fn *fn, void *context)
{
    CHECK(!task->is_running && strlen(name) <= 15);
    struct task_start_arg *start = malloc(sizeof(*start));
    if (start == NULL) {
        return FAIL(NO_MEMORY, "thread argument");
    }
    *start = (struct task_start_arg){.fn = fn, .context = context};

    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&task->thread, NULL, run, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error != 0) {
        free(start);
        return FAIL_ERRNO(error, "start thread");
    }
    pthread_setname_np(task->thread, name);
    task->is_running = true;
    return OK;
}

void task_join(struct task *task)
{
    if (task->is_running) {
        CHECK(pthread_join(task->thread, NULL) == 0);
        task->is_running = false;
    }
}

void task_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(condition, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

bool task_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline_ms)
{
    struct timespec until = {
        .tv_sec = deadline_ms / 1000,
        .tv_nsec = deadline_ms % 1000 * 1000000,
    };
    int error = pthread_cond_timedwait(condition, mutex, &until);
    CHECK(error == 0 || error == ETIMEDOUT);
    return error == 0;
}
