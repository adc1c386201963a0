/* The pool has so many buffers and not one more; one that is still referenced is not given out. */

#include "frontend/chunk_pool.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "tests/support/cmocka.h"

#include <stdatomic.h>

static int setup(void **state)
{
    static struct chunk_pool *pool;
    struct chunk_pool_options options = {
        .small_size = 4096, .small_count = 1, .large_size = 65536, .large_count = 2};
    *state = &pool;
    return status_ok(chunk_pool_new(&options, &pool)) ? 0 : -1;
}

static int teardown(void **state)
{
    struct chunk_pool **pool = *state;
    chunk_pool_free(*pool);
    return 0;
}

static void the_size_chooses_the_class(void **state)
{
    struct chunk_pool *pool = *(struct chunk_pool **)*state;
    OWNED(chunk_buffer) struct chunk_buffer *small = NULL;
    OWNED(chunk_buffer) struct chunk_buffer *large = NULL;
    struct chunk_buffer *none = NULL;
    assert_ok(chunk_pool_take(pool, 100, 0, &small));
    assert_int_equal(chunk_buffer_size(small), 4096);
    assert_status(chunk_pool_take(pool, 100, 0, &none), STATUS_BUSY);
    assert_ok(chunk_pool_take(pool, 5000, 0, &large));
    assert_int_equal(chunk_buffer_size(large), 65536);
    assert_status(chunk_pool_take(pool, 70000, 0, &none), STATUS_TOO_LARGE);
    assert_int_equal(chunk_pool_used(pool), 2);
}

static void a_full_pool_is_busy_at_the_deadline(void **state)
{
    struct chunk_pool *pool = *(struct chunk_pool **)*state;
    OWNED(chunk_buffer) struct chunk_buffer *one = NULL;
    OWNED(chunk_buffer) struct chunk_buffer *two = NULL;
    struct chunk_buffer *none = NULL;
    assert_ok(chunk_pool_take(pool, 5000, 0, &one));
    assert_ok(chunk_pool_take(pool, 5000, 0, &two));
    int64_t start = clock_monotonic_ms();
    assert_status(chunk_pool_take(pool, 5000, start + 30, &none), STATUS_BUSY);
    assert_true(clock_monotonic_ms() >= start + 29);
}

static void a_referenced_buffer_is_not_free(void **state)
{
    struct chunk_pool *pool = *(struct chunk_pool **)*state;
    struct chunk_buffer *buffer = NULL;
    struct chunk_buffer *other = NULL;
    assert_ok(chunk_pool_take(pool, 10, 0, &buffer));
    chunk_buffer_ref(buffer);
    chunk_buffer_unref(buffer);
    assert_status(chunk_pool_take(pool, 10, 0, &other), STATUS_BUSY);
    chunk_buffer_unref(buffer);
    assert_ok(chunk_pool_take(pool, 10, 0, &other));
    chunk_buffer_unref(other);
}

enum { THREADS = 8, ROUNDS = 200 };

struct contest {
    struct chunk_pool *pool;
    atomic_uint holders;
    atomic_uint most;
    atomic_uint failures;
};

static void contend(void *context)
{
    struct contest *contest = context;
    for (int i = 0; i < ROUNDS; i++) {
        struct chunk_buffer *buffer = NULL;
        if (!status_ok(
                chunk_pool_take(contest->pool, 5000, clock_monotonic_ms() + 10000, &buffer))) {
            atomic_fetch_add(&contest->failures, 1);
            continue;
        }
        unsigned now = atomic_fetch_add(&contest->holders, 1) + 1;
        unsigned most = atomic_load(&contest->most);
        while (now > most && !atomic_compare_exchange_weak(&contest->most, &most, now)) {
        }
        chunk_buffer_data(buffer)[0] = (uint8_t)i;
        atomic_fetch_sub(&contest->holders, 1);
        chunk_buffer_unref(buffer);
    }
}

static void waiters_share_two_buffers_and_all_are_served(void **state)
{
    struct contest contest = {.pool = *(struct chunk_pool **)*state};
    struct task tasks[THREADS] = {{.is_running = false}};
    for (int i = 0; i < THREADS; i++) {
        assert_ok(task_start(&tasks[i], "contender", contend, &contest));
    }
    for (int i = 0; i < THREADS; i++) {
        task_join(&tasks[i]);
    }
    assert_int_equal(contest.failures, 0);
    assert_true(contest.most <= 2);
    assert_int_equal(chunk_pool_used(contest.pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_size_chooses_the_class, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_pool_is_busy_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_referenced_buffer_is_not_free, setup, teardown),
        cmocka_unit_test_setup_teardown(
            waiters_share_two_buffers_and_all_are_served, setup, teardown),
    };
    return cmocka_run_group_tests_name("chunk_pool", tests, NULL, NULL);
}
