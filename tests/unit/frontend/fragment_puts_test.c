/* A quorum of distinct accounts, whatever single ones do: those that are down are not asked, those
 * that hang are replaced, slow ones are waited for. The accounts are made up. */

#include "frontend/fragment_puts.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "tests/support/cmocka.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ACCOUNTS_MAX = 12, COUNT = 6, QUORUM = 5, WHILE_MS = 20000 };

enum behaviour { STORES, HANGS, REFUSES };

static struct world {
    unsigned accounts;
    enum behaviour behaviour[ACCOUNTS_MAX];
    atomic_bool is_up[ACCOUNTS_MAX];
    atomic_int asked[ACCOUNTS_MAX];
    blob_put_done_fn *done[ACCOUNTS_MAX]; /* Of one that hangs ... */
    void *arg[ACCOUNTS_MAX];              /* ... to be ended by the test. */
    struct chunk_pool *pool;
    struct chunk_buffer *buffer;
} world;

size_t __wrap_fragment_client_candidates(
    struct fragment_client *client, struct placement_candidate *candidates, size_t max);
bool __wrap_fragment_client_is_up(struct fragment_client *client, uint32_t account);
void __wrap_fragment_client_put(
    struct fragment_client *client, const struct fragment_name *name,
    const struct rpc_slice *slices, size_t count, int64_t deadline_ms, blob_put_done_fn *done,
    void *arg);

size_t __wrap_fragment_client_candidates(
    struct fragment_client *client, struct placement_candidate *candidates, size_t max)
{
    (void)client;
    assert_true(max >= world.accounts);
    for (uint32_t i = 0; i < world.accounts; i++) {
        candidates[i] = (struct placement_candidate){
            .account = i, .node = i, .is_up = atomic_load(&world.is_up[i])};
    }
    return world.accounts;
}

bool __wrap_fragment_client_is_up(struct fragment_client *client, uint32_t account)
{
    (void)client;
    return atomic_load(&world.is_up[account]);
}

void __wrap_fragment_client_put(
    struct fragment_client *client, const struct fragment_name *name,
    const struct rpc_slice *slices, size_t count, int64_t deadline_ms, blob_put_done_fn *done,
    void *arg)
{
    (void)client;
    (void)deadline_ms;
    for (size_t i = 0; i < count; i++) {
        slices[i].release(slices[i].arg);
    }
    atomic_fetch_add(&world.asked[name->account], 1);
    if (world.behaviour[name->account] == HANGS) {
        world.done[name->account] = done;
        world.arg[name->account] = arg;
        return;
    }
    bool stores = world.behaviour[name->account] == STORES;
    done(arg, stores ? OK : FAIL(FULL, "test"), stores ? BLOB_STORED : BLOB_FULL);
}

/* The answer of one that hung. */
static void answer(unsigned account, struct status status)
{
    blob_put_done_fn *done = world.done[account];
    world.done[account] = NULL;
    done(world.arg[account], status, BLOB_NONE);
}

static size_t pieces(const void *context, unsigned index, struct bytes *ret_pieces)
{
    (void)context;
    (void)index;
    ret_pieces[0] = bytes_of(chunk_buffer_data(world.buffer), 10);
    return 1;
}

static int setup(void **state)
{
    (void)state;
    world = (struct world){.accounts = COUNT};
    for (unsigned i = 0; i < ACCOUNTS_MAX; i++) {
        atomic_store(&world.is_up[i], true);
    }
    struct chunk_pool_options options = {.small_size = 100, .small_count = 1, .large_size = 100};
    assert_ok(chunk_pool_new(&options, &world.pool));
    assert_ok(chunk_pool_take(world.pool, 10, 0, &world.buffer));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ACCOUNTS_MAX; i++) {
        if (world.done[i] != NULL) {
            answer(i, FAIL(TIMEOUT, "test"));
        }
    }
    chunk_buffer_unref(world.buffer);
    assert_int_equal(chunk_pool_used(world.pool), 0);
    chunk_pool_free(world.pool);
    return 0;
}

static struct fragment_puts *send_all(void)
{
    struct fragment_puts_options options = {
        .buffer = world.buffer,
        .count = COUNT,
        .quorum = QUORUM,
        .pieces = pieces,
        .timeout_ms = WHILE_MS,
        .grace_ms = WHILE_MS,
    };
    struct fragment_puts *puts = NULL;
    assert_ok(fragment_puts_new(&options, clock_monotonic_ms() + WHILE_MS, &puts));
    assert_ok(fragment_puts_start(puts));
    return puts;
}

static int64_t later(void)
{
    return clock_monotonic_ms() + WHILE_MS;
}

/* Each account at most once; ret_stored has those that hold one. */
static unsigned look(struct fragment_puts *puts, bool ret_stored[ACCOUNTS_MAX])
{
    struct placement_entry entries[COUNT];
    bool is_named[ACCOUNTS_MAX] = {false};
    memset(ret_stored, 0, ACCOUNTS_MAX * sizeof(bool));
    unsigned missing = fragment_puts_entries(puts, entries);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(entries[i].copy, i);
        assert_false(is_named[entries[i].account]);
        is_named[entries[i].account] = true;
        ret_stored[entries[i].account] = entries[i].state == PLACEMENT_STORED;
    }
    return missing;
}

static void all_up_all_stored(void **state)
{
    (void)state;
    bool stored[ACCOUNTS_MAX];
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    assert_ok(fragment_puts_wait(puts, later(), false));
    assert_int_equal(look(puts, stored), 0);
}

static void one_that_is_down_is_not_asked_and_not_waited_for(void **state)
{
    (void)state;
    bool stored[ACCOUNTS_MAX];
    atomic_store(&world.is_up[2], false);
    int64_t begun = clock_monotonic_ms();
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    assert_ok(fragment_puts_wait(puts, later(), false));
    assert_true(clock_monotonic_ms() < begun + WHILE_MS);
    assert_int_equal(look(puts, stored), 1);
    assert_false(stored[2]);
    assert_int_equal(atomic_load(&world.asked[2]), 0);
}

static void one_that_refuses_is_replaced(void **state)
{
    (void)state;
    bool stored[ACCOUNTS_MAX];
    world.accounts = ACCOUNTS_MAX;
    for (unsigned i = 0; i < ACCOUNTS_MAX / 3; i++) {
        world.behaviour[i] = REFUSES;
    }
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    assert_ok(fragment_puts_wait(puts, later(), false));
    assert_true(look(puts, stored) <= 1);
    for (unsigned i = 0; i < ACCOUNTS_MAX / 3; i++) {
        assert_false(stored[i]);
    }
}

/* Two of six hang; of two spares each takes one fragment. */
static void silent_ones_are_replaced(void **state)
{
    (void)state;
    bool stored[ACCOUNTS_MAX];
    world.behaviour[0] = world.behaviour[1] = HANGS;
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    world.accounts = COUNT + 2;
    atomic_store(&world.is_up[0], false); /* They fall silent. */
    atomic_store(&world.is_up[1], false);
    assert_ok(fragment_puts_wait(puts, later(), true));
    assert_int_equal(look(puts, stored), 0);
    assert_true(stored[COUNT] && stored[COUNT + 1] && !stored[0] && !stored[1]);
    answer(0, OK); /* Too late to be counted: a stray fragment. */
    assert_int_equal(look(puts, stored), 0);
    assert_false(stored[0]);
}

static void answer_first_two(void *context)
{
    (void)context;
    clock_sleep_ms(400);
    answer(0, OK);
    answer(1, OK);
}

static void whoever_answers_first_counts(void **state)
{
    (void)state;
    bool stored[ACCOUNTS_MAX];
    world.behaviour[0] = world.behaviour[1] = HANGS;
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    world.accounts = COUNT + 2;
    world.behaviour[COUNT] = world.behaviour[COUNT + 1] = HANGS;
    atomic_store(&world.is_up[0], false);
    atomic_store(&world.is_up[1], false);
    struct task task = {.is_running = false};
    assert_ok(task_start(&task, "wakes", answer_first_two, NULL));
    struct status status = fragment_puts_wait(puts, later(), true);
    task_join(&task);
    assert_ok(status);
    assert_int_equal(atomic_load(&world.asked[COUNT]) + atomic_load(&world.asked[COUNT + 1]), 2);
    assert_int_equal(look(puts, stored), 0);
    assert_true(stored[0] && stored[1]);
}

static void a_hasty_wait_ends_when_too_few_are_left(void **state)
{
    (void)state;
    world.behaviour[0] = world.behaviour[1] = HANGS;
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    atomic_store(&world.is_up[0], false);
    atomic_store(&world.is_up[1], false);
    int64_t begun = clock_monotonic_ms();
    assert_status(fragment_puts_wait(puts, later(), true), STATUS_UNAVAILABLE);
    assert_true(clock_monotonic_ms() < begun + WHILE_MS);
}

static void one_that_wakes_in_time_counts(void **state)
{
    (void)state;
    bool stored[ACCOUNTS_MAX];
    world.behaviour[0] = world.behaviour[1] = HANGS;
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    atomic_store(&world.is_up[0], false);
    atomic_store(&world.is_up[1], false);
    assert_status(fragment_puts_wait(puts, clock_monotonic_ms() + 100, false), STATUS_UNAVAILABLE);
    answer(1, OK);
    assert_ok(fragment_puts_wait(puts, later(), false));
    assert_int_equal(look(puts, stored), 1);
    assert_true(stored[1]);
}

static void answer_soon(void *context)
{
    (void)context;
    clock_sleep_ms(400);
    for (unsigned i = 0; i < COUNT; i++) {
        answer(i, OK);
    }
}

/* Their nodes answer other calls: slow disks, and no reason for an error. */
static void slow_ones_are_waited_for_past_the_deadline(void **state)
{
    (void)state;
    bool stored[ACCOUNTS_MAX];
    for (unsigned i = 0; i < COUNT; i++) {
        world.behaviour[i] = HANGS;
    }
    OWNED(fragment_puts) struct fragment_puts *puts = send_all();
    struct task task = {.is_running = false};
    assert_ok(task_start(&task, "slow", answer_soon, NULL));
    struct status status = fragment_puts_wait(puts, clock_monotonic_ms(), true);
    task_join(&task);
    assert_ok(status);
    assert_true(look(puts, stored) <= COUNT - QUORUM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(all_up_all_stored),
        TEST(one_that_is_down_is_not_asked_and_not_waited_for),
        TEST(one_that_refuses_is_replaced),
        TEST(silent_ones_are_replaced),
        TEST(whoever_answers_first_counts),
        TEST(a_hasty_wait_ends_when_too_few_are_left),
        TEST(one_that_wakes_in_time_counts),
        TEST(slow_ones_are_waited_for_past_the_deadline),
    };
    return cmocka_run_group_tests_name("fragment_puts", tests, NULL, NULL);
}
