/* How many items a second Authorize judges over mutual TLS, in this process: run by hand. */

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "tests/unit/keystore/key_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { THREADS = 64, ITEMS = 1000 };

static struct key_peer frontend;
static struct key_user user;
static struct key_request request;

static void run(void *context)
{
    (void)context;
    for (int i = 0; i < ITEMS; i++) {
        if (key_fixture_authorize(&frontend, &request, NULL) != KEY_ALLOWED) {
            abort();
        }
    }
}

static double cpu_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(const char *what)
{
    static struct task tasks[THREADS];
    int64_t began_ms = clock_monotonic_ms();
    double cpu = cpu_s();

    for (int i = 0; i < THREADS; i++) {
        assert_ok(task_start(&tasks[i], "load", run, NULL));
    }
    for (int i = 0; i < THREADS; i++) {
        task_join(&tasks[i]);
    }
    double seconds = (double)(clock_monotonic_ms() - began_ms) / 1000;
    printf(
        "%s: %.0f items/s, %.1f us of CPU an item, both sides\n", what, THREADS * ITEMS / seconds,
        (cpu_s() - cpu) * 1e6 / (THREADS * ITEMS));
}

int main(void)
{
    struct key_fixture fixture;
    struct key_peer operator_peer;
    struct key_record record;
    struct key_authorize_result *made = NULL;
    struct id16 version = {{1}};
    char admin_key[64];

    key_fixture_start(&fixture);
    key_fixture_connect(&fixture, "operator", "root", &operator_peer);
    key_fixture_connect(&fixture, "frontend", "f1", &frontend);
    key_fixture_register(&fixture, &operator_peer, "frontend", "f1");
    key_fixture_tenant(&operator_peer, "acme", admin_key);
    key_fixture_user(&operator_peer, "acme", admin_key, "alice", NULL, NULL, &user);
    struct id16 bucket = key_fixture_bucket(&frontend, &user, "photos");
    key_fixture_sign(&user, &(struct key_sign){.method = "PUT", .path = "/photos/a"}, &request);
    request.item.has_bucket = true;
    request.item.bucket = bucket;
    request.item.operation = KEY_GENERATE;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &made), KEY_ALLOWED);
    measure("GENERATE");
    key_fixture_record(made, &bucket, "a", 0, &version, &record);
    key_fixture_sign(&user, &(struct key_sign){.method = "GET", .path = "/photos/a"}, &request);
    key_fixture_open_item(&request, &bucket, &record);
    measure("OPEN");
    key_authorize_result_free(made);
    key_fixture_disconnect(&frontend);
    key_fixture_disconnect(&operator_peer);
    key_fixture_stop(&fixture);
    return 0;
}
