/*
 * Figures of lib/rpc over loopback, both sides in one process: MB/s of 1 MiB payloads sent with 4
 * in flight, and rate and CPU of small calls with 1 and 16. Run by hand:
 *     bazel run -c opt //tests/unit/rpc:rpc_bench
 */

#include "lib/base/clock.h"
#include "lib/rpc/rpc_client.h"
#include "tests/unit/rpc/echo_fixture.h"

#include <stdio.h>
#include <sys/resource.h>

enum { RUN_MS = 3000, PIECE = 1 << 20 };

static struct echo echo;
static uint8_t data[PIECE];

struct runner {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct rpc_request request;
    int64_t end_ms;
    unsigned in_flight;
    uint64_t done;
};

static void no_release(void *arg)
{
    (void)arg;
}

static void next(struct runner *runner);

static void on_done(void *arg, struct status status, struct rpc_reply *reply)
{
    struct runner *runner = arg;
    if (!status_ok(status)) {
        printf("failed: %s\n", status_name(status.code));
    }
    rpc_reply_free(reply);
    pthread_mutex_lock(&runner->mutex);
    runner->done++;
    runner->in_flight--;
    bool goes_on = clock_monotonic_ms() < runner->end_ms;
    pthread_cond_signal(&runner->changed);
    pthread_mutex_unlock(&runner->mutex);
    if (goes_on) {
        next(runner);
    }
}

static void next(struct runner *runner)
{
    pthread_mutex_lock(&runner->mutex);
    runner->in_flight++;
    pthread_mutex_unlock(&runner->mutex);
    struct rpc_request request = runner->request;
    request.deadline_ms = clock_monotonic_ms() + 10000;
    rpc_start(echo.channel, &request, on_done, runner);
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(const char *name, unsigned flights, size_t payload, uint32_t reply_size)
{
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.text = (char[]){"a small message of about forty characters"};
    message.fail_code = 0;
    message.reply_size = reply_size;
    struct rpc_slice slice = {.bytes = bytes_of(data, payload), .release = no_release};
    struct runner runner = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .request = echo_request("Skim", &message),
        .end_ms = clock_monotonic_ms() + RUN_MS,
    };
    runner.request.payload = (struct rpc_payload){.slices = &slice, .count = payload > 0 ? 1 : 0};
    double before_s = cpu_s();
    int64_t begun_us = clock_monotonic_us();
    for (unsigned i = 0; i < flights; i++) {
        next(&runner);
    }
    pthread_mutex_lock(&runner.mutex);
    while (runner.in_flight > 0 || clock_monotonic_ms() < runner.end_ms) {
        pthread_cond_wait(&runner.changed, &runner.mutex);
    }
    pthread_mutex_unlock(&runner.mutex);
    double elapsed_s = (double)(clock_monotonic_us() - begun_us) / 1e6;
    double calls = (double)runner.done;
    double bytes = calls * (double)(payload + reply_size);
    printf(
        "%-28s %9.0f calls/s %8.0f MB/s %8.1f us CPU a call, both sides\n", name, calls / elapsed_s,
        bytes / elapsed_s / 1e6, (cpu_s() - before_s) / calls * 1e6);
}

int main(void)
{
    echo_start(&echo, 4, 64);
    if (!status_ok(echo_say(echo.channel, "warm"))) {
        return 1;
    }
    measure("put 1 MiB, 1 in flight", 1, PIECE, 0);
    measure("put 1 MiB, 4 in flight", 4, PIECE, 0);
    measure("get 1 MiB, 4 in flight", 4, 0, PIECE);
    measure("small, 1 in flight", 1, 0, 0);
    measure("small, 16 in flight", 16, 0, 0);
    echo_stop(&echo);
    return 0;
}
