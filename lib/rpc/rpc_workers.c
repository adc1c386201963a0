#include "lib/rpc/rpc_workers.h"

#include "lib/base/check.h"
#include "lib/base/task.h"
#include "lib/rpc/rpc_call.h"

#include <stdio.h>
#include <stdlib.h>

struct rpc_workers {
    pthread_mutex_t mutex;
    pthread_cond_t pushed;
    struct rpc_call *first;
    struct rpc_call *last;
    bool is_stopping;
    void (*run)(struct rpc_call *call);
    unsigned count;
    struct task tasks[];
};

static struct rpc_call *pop(struct rpc_workers *workers)
{
    LOCKED(&workers->mutex);
    while (workers->first == NULL && !workers->is_stopping) {
        pthread_cond_wait(&workers->pushed, &workers->mutex);
    }
    struct rpc_call *call = workers->first;
    if (call != NULL) {
        workers->first = call->next_waiting;
        call->next_waiting = NULL;
    }
    return call;
}

static void work(void *context)
{
    struct rpc_workers *workers = context;
    for (;;) {
        struct rpc_call *call = pop(workers);
        if (call == NULL) {
            return;
        }
        workers->run(call);
    }
}

struct status rpc_workers_start(
    unsigned count, void (*run)(struct rpc_call *call), struct rpc_workers **ret_workers)
{
    CHECK(count >= 1);
    OWNED(rpc_workers)
    struct rpc_workers *workers = calloc(1, sizeof(*workers) + count * sizeof(struct task));
    if (workers == NULL) {
        return FAIL(NO_MEMORY, "workers");
    }
    CHECK(pthread_mutex_init(&workers->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&workers->pushed, NULL) == 0);
    workers->run = run;
    workers->count = count;
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof(name), "rpc-%u", i % 1000);
        TRY(task_start(&workers->tasks[i], name, work, workers));
    }
    *ret_workers = TAKE(workers);
    return OK;
}

void rpc_workers_free(struct rpc_workers *workers)
{
    if (workers == NULL) {
        return;
    }
    pthread_mutex_lock(&workers->mutex);
    workers->is_stopping = true;
    pthread_cond_broadcast(&workers->pushed);
    pthread_mutex_unlock(&workers->mutex);
    for (unsigned i = 0; i < workers->count; i++) {
        task_join(&workers->tasks[i]);
    }
    CHECK(workers->first == NULL);
    pthread_cond_destroy(&workers->pushed);
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
}

void rpc_workers_push(struct rpc_workers *workers, struct rpc_call *call)
{
    call->next_waiting = NULL;
    pthread_mutex_lock(&workers->mutex);
    if (workers->first == NULL) {
        workers->first = call;
    } else {
        workers->last->next_waiting = call;
    }
    workers->last = call;
    pthread_mutex_unlock(&workers->mutex);
    /* Not under the mutex, or the worker wakes only to sleep on it. */
    pthread_cond_signal(&workers->pushed);
}
