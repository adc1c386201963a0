/* While a call is in flight items wait, and the next call takes all of them, within bounds. */

#include "lib/rpc/lane.h"

#include "lib/base/clock.h"
#include "tests/support/cmocka.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { CALLS_LOGGED = 4096, THREADS = 4, ITEMS_A_THREAD = 5000 };

struct record {
    pthread_mutex_t mutex;
    size_t counts[CALLS_LOGGED]; /* Items of each call. */
    size_t sizes[CALLS_LOGGED];
    size_t calls;
    size_t items;
    bool ends_at_once; /* send() calls lane_done itself. */
};

static struct record record;

static void note_send(void *context, struct lane *lane, struct lane_item *items, size_t count)
{
    struct record *r = context;
    pthread_mutex_lock(&r->mutex);
    size_t size = 0;
    size_t seen = 0;
    for (; items != NULL; items = items->next) {
        size += items->size;
        seen++;
    }
    assert_int_equal(seen, count);
    if (r->calls < CALLS_LOGGED) {
        r->counts[r->calls] = count;
        r->sizes[r->calls] = size;
    }
    r->calls++;
    r->items += count;
    bool ends = r->ends_at_once;
    pthread_mutex_unlock(&r->mutex);
    if (ends) {
        lane_done(lane);
    }
}

static struct lane *make_lane(size_t items_max, size_t bytes_max, unsigned calls_max)
{
    record = (struct record){.mutex = PTHREAD_MUTEX_INITIALIZER};
    struct lane_options options = {
        .items_max = items_max,
        .bytes_max = bytes_max,
        .calls_max = calls_max,
        .send = note_send,
        .context = &record,
    };
    struct lane *lane = NULL;
    assert_ok(lane_new(&options, &lane));
    return lane;
}

static void an_idle_lane_sends_at_once_and_a_busy_one_collects(void **state)
{
    (void)state;
    struct lane *lane = make_lane(64, 1 << 20, 1);
    struct lane_item items[10] = {{.next = NULL}};
    lane_submit(lane, &items[0]);
    assert_int_equal(record.calls, 1);
    for (size_t i = 1; i < 10; i++) {
        lane_submit(lane, &items[i]);
    }
    assert_int_equal(record.calls, 1);
    assert_int_equal(lane_queued(lane), 9);
    lane_done(lane);
    assert_int_equal(record.calls, 2);
    assert_int_equal(record.counts[1], 9);
    lane_done(lane);
    assert_int_equal(record.calls, 2);
    lane_free(lane);
}

static void a_call_keeps_to_items_and_bytes(void **state)
{
    (void)state;
    struct lane *lane = make_lane(3, 100, 1);
    struct lane_item items[7] = {{.size = 1},   {.size = 60}, {.size = 40}, {.size = 1},
                                 {.size = 500}, {.size = 1},  {.size = 1}};
    for (size_t i = 0; i < 7; i++) {
        lane_submit(lane, &items[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        lane_done(lane);
    }
    const size_t counts[] = {1, 2, 1, 1, 2};
    const size_t sizes[] = {1, 100, 1, 500, 2};
    assert_int_equal(record.calls, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(record.counts[i], counts[i]);
        assert_int_equal(record.sizes[i], sizes[i]);
    }
    lane_free(lane);
}

static void several_calls_fly_if_allowed(void **state)
{
    (void)state;
    struct lane *lane = make_lane(64, 1 << 20, 2);
    struct lane_item items[5] = {{.next = NULL}};
    for (size_t i = 0; i < 5; i++) {
        lane_submit(lane, &items[i]);
    }
    assert_int_equal(record.calls, 2);
    lane_done(lane);
    assert_int_equal(record.counts[2], 3);
    lane_done(lane);
    lane_done(lane);
    lane_free(lane);
}

/* A call that fails on start ends inside send(): a long queue must not become a deep stack. */
static void calls_that_end_at_once_do_not_recurse(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    struct lane *lane = make_lane(1, 1, 1);
    struct lane_item *items = calloc(MANY, sizeof(*items));
    assert_non_null(items);
    lane_submit(lane, &items[0]);
    for (size_t i = 1; i < MANY; i++) {
        lane_submit(lane, &items[i]);
    }
    record.ends_at_once = true;
    lane_done(lane);
    assert_int_equal(record.items, MANY);
    assert_int_equal(lane_queued(lane), 0);
    lane_free(lane);
    free(items);
}

static void *submit_many(void *arg)
{
    struct lane *lane = arg;
    struct lane_item *items = calloc(ITEMS_A_THREAD, sizeof(*items));
    for (size_t i = 0; items != NULL && i < ITEMS_A_THREAD; i++) {
        lane_submit(lane, &items[i]);
    }
    return items;
}

static void threads_lose_no_item(void **state)
{
    (void)state;
    struct lane *lane = make_lane(16, 1 << 20, 2);
    record.ends_at_once = true;
    pthread_t threads[THREADS];
    void *items[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, lane), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &items[i]), 0);
    }
    assert_int_equal(record.items, THREADS * ITEMS_A_THREAD);
    assert_int_equal(lane_queued(lane), 0);
    lane_free(lane);
    for (size_t i = 0; i < THREADS; i++) {
        free(items[i]);
    }
}

/* The next call carries what N threads submitted while one was held. */
static void a_held_call_gathers_what_threads_submit(void **state)
{
    (void)state;
    struct lane *lane = make_lane(1 << 20, 1 << 30, 1);
    struct lane_item first = {.next = NULL};
    lane_submit(lane, &first);
    pthread_t threads[THREADS];
    void *items[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, lane), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &items[i]), 0);
    }
    lane_done(lane);
    assert_int_equal(record.calls, 2);
    assert_int_equal(record.counts[1], THREADS * ITEMS_A_THREAD);
    lane_done(lane);
    lane_free(lane);
    for (size_t i = 0; i < THREADS; i++) {
        free(items[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_lane_sends_at_once_and_a_busy_one_collects),
        cmocka_unit_test(a_call_keeps_to_items_and_bytes),
        cmocka_unit_test(several_calls_fly_if_allowed),
        cmocka_unit_test(calls_that_end_at_once_do_not_recurse),
        cmocka_unit_test(threads_lose_no_item),
        cmocka_unit_test(a_held_call_gathers_what_threads_submit),
    };
    return cmocka_run_group_tests_name("lane", tests, NULL, NULL);
}
