/*
 * What kv_apply acknowledged is there after every crash, whole; what it did not is there whole or
 * not at all; and no log that was changed, cut, swapped or is too old is ever opened.
 */

#include "lib/kv/kv.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/task.h"
#include "lib/kv/shard_store_memory.h"
#include "tests/support/cmocka.h"
#include "tests/unit/kv/kv_model.h"
#include "tests/unit/kv/kv_support.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { FOREVER = 60 * 1000 };

struct fixture {
    struct shard_store *store;
    struct secret *dek;
    struct secret *other_dek;
    struct kv_dek deks[2];
    struct kv_options options;
    struct kv *kv;
    atomic_int fatal;
};

static void on_fatal(void *context, struct status status)
{
    struct fixture *f = context;
    assert_int_equal(status.code, STATUS_UNKNOWN);
    f->fatal++;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_ok(shard_store_memory_new(&f->store));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &f->dek));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &f->other_dek));
    f->deks[0] = (struct kv_dek){1, f->dek};
    f->deks[1] = (struct kv_dek){2, f->other_dek};
    f->options = (struct kv_options){
        .db_uuid = {{1, 2, 3}},
        .deks = f->deks,
        .deks_count = 1,
        .on_fatal = on_fatal,
        .on_fatal_context = f,
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kv_free(f->kv);
    shard_store_free(f->store);
    secret_free(f->dek);
    secret_free(f->other_dek);
    free(f);
    return 0;
}

static struct status reopen(struct fixture *f)
{
    kv_free(f->kv);
    f->kv = NULL;
    f->options.fence++;
    return kv_open(f->store, &f->options, &f->kv);
}

static int64_t soon(void)
{
    return clock_monotonic_ms() + FOREVER;
}

struct put {
    const char *key;
    const char *value; /* NULL: delete. */
    struct status status;
    uint64_t seq;
};

static struct status put_plan(struct kv_view *view, void *arg)
{
    struct put *put = arg;
    put->seq = kv_view_seq(view);
    TRY(put->value != NULL ? kv_view_put(view, bytes_text(put->key), bytes_text(put->value))
                           : kv_view_delete(view, bytes_text(put->key)));
    return put->status;
}

static struct status put(struct fixture *f, const char *key, const char *value)
{
    struct put arg = {.key = key, .value = value};
    uint64_t seq = 0;
    TRY(kv_apply(f->kv, put_plan, &arg, soon(), &seq));
    assert_int_equal(seq, arg.seq);
    return OK;
}

static bool has(struct fixture *f, const char *key, const char *value)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    assert_ok(kv_snapshot_take(f->kv, &snapshot));
    struct bytes got;
    struct status status = kv_snapshot_get(snapshot, bytes_text(key), &got);
    return value == NULL ? status.code == STATUS_NOT_FOUND
                         : status_ok(status) && bytes_equal(got, bytes_text(value));
}

static void rows_live_on_over_opens(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    assert_ok(put(f, "a", "1"));
    assert_ok(put(f, "b", "2"));
    assert_ok(put(f, "a", NULL));
    assert_ok(put(f, "never there", NULL));
    assert_int_equal(shard_store_memory_count(f->store), 3);
    for (int i = 0; i < 3; i++) {
        assert_ok(reopen(f));
        assert_true(has(f, "a", NULL));
        assert_true(has(f, "b", "2"));
        assert_ok(put(f, "c", i % 2 == 0 ? "x" : "y"));
    }
    f->options.fence--;
    assert_status(reopen(f), STATUS_STALE);
    assert_ok(reopen(f));
    struct kv_stats stats;
    kv_stats_get(f->kv, &stats);
    assert_int_equal(stats.rows, 2);
    assert_int_equal(stats.row_bytes, 4);
}

static void a_failing_plan_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    struct put arg = {.key = "k", .value = "v", .status = FAIL(CONFLICT, "no")};
    assert_status(kv_apply(f->kv, put_plan, &arg, soon(), NULL), STATUS_CONFLICT);
    assert_true(has(f, "k", NULL));
    assert_int_equal(shard_store_memory_count(f->store), 0);
}

static struct status ignores_error_plan(struct kv_view *view, void *arg)
{
    (void)arg;
    TRY(kv_view_put(view, bytes_text("k"), bytes_text("v")));
    IGNORE(kv_view_put(view, bytes_text(""), bytes_text("v"))); /* What is tested. */
    return OK;
}

static void a_change_that_failed_fails_its_plan(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    assert_status(kv_apply(f->kv, ignores_error_plan, NULL, soon(), NULL), STATUS_TOO_LARGE);
    assert_true(has(f, "k", NULL));
}

static struct status large_plan(struct kv_view *view, void *arg)
{
    const uint32_t *rows = arg;
    static uint8_t value[KV_VALUE_MAX];
    for (uint32_t i = 0; i < rows[0]; i++) {
        uint8_t key[4];
        encode_u32(key, i);
        TRY(kv_view_put(view, BYTES_ARRAY(key), bytes_of(value, rows[1])));
    }
    return OK;
}

static void a_plan_has_limits(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    uint32_t rows[2] = {KV_PLAN_ROWS_MAX, 20};
    assert_ok(kv_apply(f->kv, large_plan, rows, soon(), NULL));
    rows[0]++;
    assert_status(kv_apply(f->kv, large_plan, rows, soon(), NULL), STATUS_TOO_LARGE);
    rows[0] = 127;
    rows[1] = KV_VALUE_MAX;
    assert_ok(kv_apply(f->kv, large_plan, rows, soon(), NULL));
    rows[0] = 128;
    assert_status(kv_apply(f->kv, large_plan, rows, soon(), NULL), STATUS_TOO_LARGE);
    assert_ok(reopen(f));
    assert_ok(kv_check(f->kv));
    f->options.memory_max = 8900 * 1000;
    assert_ok(reopen(f));
    rows[0] = 100;
    assert_status(kv_apply(f->kv, large_plan, rows, soon(), NULL), STATUS_FULL);
    assert_ok(put(f, "small", NULL));
    assert_ok(put(f, "small", "fits"));
}

static void a_snapshot_does_not_move(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    assert_ok(put(f, "k", "old"));
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    assert_ok(kv_snapshot_take(f->kv, &snapshot));
    for (int i = 0; i < 10; i++) {
        assert_ok(put(f, "k", i % 2 == 0 ? "new" : "newer"));
    }
    struct bytes value;
    assert_ok(kv_snapshot_get(snapshot, bytes_text("k"), &value));
    assert_true(bytes_equal(value, bytes_text("old")));
    assert_true(has(f, "k", "newer"));
}

static void an_append_that_failed_ends_the_service(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    assert_ok(put(f, "a", "1"));
    shard_store_memory_fail(f->store, 0);
    assert_status(put(f, "a", "2"), STATUS_UNKNOWN);
    assert_true(has(f, "a", "1"));
    assert_status(put(f, "a", "3"), STATUS_UNAVAILABLE);
    kv_free(f->kv);
    f->kv = NULL;
    assert_int_equal(f->fatal, 1);
}

static void a_full_store_loses_the_group_only(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    assert_ok(put(f, "a", "1"));
    shard_store_memory_fill(f->store, true);
    assert_status(put(f, "a", "2"), STATUS_FULL);
    assert_true(has(f, "a", "1"));
    shard_store_memory_fill(f->store, false);
    assert_ok(put(f, "a", "3"));
    assert_ok(reopen(f));
    assert_true(has(f, "a", "3"));
}

static void changed_logs_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    for (int i = 0; i < 4; i++) {
        assert_ok(put(f, "key", "value"));
    }
    for (size_t record = 0; record < 4; record++) {
        for (size_t byte = 0; byte < 60; byte++) {
            shard_store_memory_flip(f->store, record, byte);
            assert_status(reopen(f), STATUS_CORRUPT);
            shard_store_memory_flip(f->store, record, byte);
        }
    }
    assert_ok(reopen(f));
    shard_store_memory_drop(f->store, 1);
    assert_status(reopen(f), STATUS_CORRUPT);
}

static void a_log_below_its_anchor_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    kv_anchor_get(f->kv, &f->options.lowest);
    assert_ok(reopen(f)); /* An anchor of before the first commit. */
    assert_ok(put(f, "a", "1"));
    assert_ok(put(f, "a", "2"));
    kv_anchor_get(f->kv, &f->options.lowest);
    assert_int_equal(f->options.lowest.seq, 2);
    assert_ok(reopen(f));
    assert_ok(put(f, "a", "3"));
    assert_ok(reopen(f));
    f->options.lowest.chain_tag[3] ^= 1;
    assert_status(reopen(f), STATUS_CORRUPT);
    f->options.lowest.chain_tag[3] ^= 1;
    shard_store_memory_drop(f->store, 2);
    assert_ok(reopen(f));
    shard_store_memory_drop(f->store, 1);
    assert_status(reopen(f), STATUS_CORRUPT);
    memset(&f->options.lowest, 0, sizeof(f->options.lowest));
    assert_ok(reopen(f)); /* Nobody knows: it must be believed. */
    f->options.lowest.fence = f->options.fence + 1;
    f->options.fence += 5;
    assert_status(reopen(f), STATUS_CORRUPT);
}

static void other_keys_and_other_databases_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    assert_ok(put(f, "a", "1"));
    f->deks[0].key = f->other_dek;
    assert_status(reopen(f), STATUS_CORRUPT);
    f->deks[0] = (struct kv_dek){7, f->dek};
    assert_status(reopen(f), STATUS_DENIED);
    f->deks[0] = (struct kv_dek){1, f->dek};
    f->options.db_uuid.bytes[5] = 9;
    assert_status(reopen(f), STATUS_CORRUPT);
    f->options.db_uuid.bytes[5] = 0;
    /* A new DEK beside the old: old records open, new ones need the new. */
    f->options.deks_count = 2;
    assert_ok(reopen(f));
    assert_ok(put(f, "a", "2"));
    assert_ok(reopen(f));
    assert_true(has(f, "a", "2"));
    f->options.deks_count = 1;
    assert_status(reopen(f), STATUS_DENIED);
    f->options.deks_count = 2;
    /* The same record number of a database with the same key. */
    OWNED(shard_store) struct shard_store *other = NULL;
    OWNED(kv) struct kv *other_kv = NULL;
    assert_ok(shard_store_memory_new(&other));
    struct kv_options options = f->options;
    options.fence = 1;
    options.db_uuid.bytes[0] = 77;
    assert_ok(kv_open(other, &options, &other_kv));
    struct put arg = {.key = "a", .value = "1"};
    assert_ok(kv_apply(other_kv, put_plan, &arg, soon(), NULL));
    assert_ok(shard_store_memory_swap(f->store, 0, other, 0));
    assert_status(reopen(f), STATUS_CORRUPT);
}

static void random_plans_agree_with_a_map(void **state)
{
    struct fixture *f = *state;
    struct kv_model *model = kv_model_new();
    uint64_t seed = 99;
    assert_ok(reopen(f));
    for (int i = 0; i < 4000; i++) {
        struct kv_model_plan plan = {kv_support_next(&seed), 700, model};
        struct status status = kv_apply(f->kv, kv_model_plan_run, &plan, soon(), NULL);
        assert_int_equal(status_ok(status), kv_model_apply(model, plan.seed, plan.keys));
        if (i % 500 == 499) {
            assert_true(kv_model_matches(model, f->kv));
            assert_ok(reopen(f));
            assert_true(kv_model_matches(model, f->kv));
        }
    }
    kv_model_free(model);
}

static void crashes_lose_no_acknowledged_plan_and_halve_none(void **state)
{
    struct fixture *f = *state;
    struct kv_model *model = kv_model_new();
    uint64_t seed = 4711;
    assert_ok(reopen(f));
    for (int round = 0; round < 300; round++) {
        shard_store_memory_fail(f->store, (unsigned)(kv_support_next(&seed) % 12));
        struct kv_model_plan plan = {.keys = 400};
        struct status status = OK;
        while (status.code != STATUS_UNKNOWN) {
            plan.seed = kv_support_next(&seed);
            status = kv_apply(f->kv, kv_model_plan_run, &plan, soon(), NULL);
            if (status_ok(status)) {
                assert_true(kv_model_apply(model, plan.seed, plan.keys));
            }
        }
        struct kv_anchor anchor;
        kv_anchor_get(f->kv, &f->options.lowest);
        anchor = f->options.lowest;
        kv_free(TAKE(f->kv));
        shard_store_memory_crash(f->store, kv_support_next(&seed));
        assert_ok(reopen(f));
        kv_anchor_get(f->kv, &anchor);
        if (anchor.seq > f->options.lowest.seq) {
            assert_true(kv_model_apply(model, plan.seed, plan.keys)); /* It is there after all. */
        }
        assert_true(kv_model_matches(model, f->kv));
    }
    kv_model_free(model);
}

/* Threads move money; the sum stays. */
enum { ACCOUNTS = 100, THREADS = 8 };

struct move {
    uint8_t from[2];
    uint8_t to[2];
};

static uint32_t amount_of(struct bytes value)
{
    assert_int_equal(value.size, 4);
    return decode_u32(value.data);
}

static struct status move_plan(struct kv_view *view, void *arg)
{
    const struct move *move = arg;
    struct bytes from;
    struct bytes to;
    TRY(kv_view_get(view, BYTES_ARRAY(move->from), &from));
    TRY(kv_view_get(view, BYTES_ARRAY(move->to), &to));
    if (amount_of(from) == 0) {
        return FAIL(CONFLICT, "no money");
    }
    uint8_t less[4];
    uint8_t more[4];
    encode_u32(less, amount_of(from) - 1);
    encode_u32(more, amount_of(to) + 1);
    TRY(kv_view_put(view, BYTES_ARRAY(move->from), BYTES_ARRAY(less)));
    return kv_view_put(view, BYTES_ARRAY(move->to), BYTES_ARRAY(more));
}

static struct status found_plan(struct kv_view *view, void *arg)
{
    (void)arg;
    for (uint16_t i = 0; i < ACCOUNTS; i++) {
        uint8_t key[2];
        uint8_t value[4];
        encode_u16(key, i);
        encode_u32(value, 5);
        TRY(kv_view_put(view, BYTES_ARRAY(key), BYTES_ARRAY(value)));
    }
    return OK;
}

static uint32_t sum_of(struct kv *kv)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    assert_ok(kv_snapshot_take(kv, &snapshot));
    assert_ok(kv_cursor_seek(snapshot, bytes_of("", 0), &cursor));
    struct bytes key;
    struct bytes value;
    uint32_t sum = 0;
    while (status_ok(kv_cursor_next(cursor, &key, &value))) {
        sum += amount_of(value);
    }
    return sum;
}

struct mover {
    struct kv *kv;
    uint64_t seed;
};

static void mover_run(void *context)
{
    struct mover *mover = context;
    uint64_t last = 0;
    for (int i = 0; i < 300; i++) {
        struct move move;
        encode_u16(move.from, (uint16_t)(kv_support_next(&mover->seed) % ACCOUNTS));
        encode_u16(move.to, (uint16_t)(kv_support_next(&mover->seed) % ACCOUNTS));
        if (memcmp(move.from, move.to, 2) == 0) {
            continue;
        }
        uint64_t seq = 0;
        struct status status = kv_apply(mover->kv, move_plan, &move, soon(), &seq);
        assert_true(status_ok(status) || status.code == STATUS_CONFLICT);
        assert_true(!status_ok(status) || seq > last);
        last = status_ok(status) ? seq : last;
        if (i % 10 == 0) {
            assert_int_equal(sum_of(mover->kv), 5 * ACCOUNTS);
        }
    }
}

static void threads_see_whole_plans_only(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    assert_ok(kv_apply(f->kv, found_plan, NULL, soon(), NULL));
    struct mover movers[THREADS];
    struct task tasks[THREADS] = {{0}};
    for (unsigned i = 0; i < THREADS; i++) {
        movers[i] = (struct mover){f->kv, i + 1};
        assert_ok(task_start(&tasks[i], "mover", mover_run, &movers[i]));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        task_join(&tasks[i]);
    }
    struct kv_stats stats;
    kv_stats_get(f->kv, &stats);
    assert_true(stats.groups <= stats.plans);
    assert_ok(reopen(f));
    assert_int_equal(sum_of(f->kv), 5 * ACCOUNTS);
    assert_ok(kv_check(f->kv));
}

static struct status slow_plan(struct kv_view *view, void *arg)
{
    atomic_int *runs = arg;
    (void)view;
    if ((*runs)++ > 0) { /* On the writer. */
        clock_sleep_ms(300);
    }
    return OK;
}

static void slow_run(void *context)
{
    struct fixture *f = context;
    atomic_int runs = 0;
    assert_ok(kv_apply(f->kv, slow_plan, &runs, soon(), NULL));
}

static void a_plan_that_waited_too_long_does_not_happen(void **state)
{
    struct fixture *f = *state;
    assert_ok(reopen(f));
    struct task task = {0};
    assert_ok(task_start(&task, "slow", slow_run, f));
    clock_sleep_ms(100);
    struct put arg = {.key = "late", .value = "v"};
    assert_status(kv_apply(f->kv, put_plan, &arg, clock_monotonic_ms() + 50, NULL), STATUS_TIMEOUT);
    task_join(&task);
    assert_ok(put(f, "other", "v"));
    assert_true(has(f, "late", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_live_on_over_opens, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_plan_leaves_no_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_that_failed_fails_its_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(a_plan_has_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_snapshot_does_not_move, setup, teardown),
        cmocka_unit_test_setup_teardown(an_append_that_failed_ends_the_service, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_store_loses_the_group_only, setup, teardown),
        cmocka_unit_test_setup_teardown(changed_logs_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_below_its_anchor_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
            other_keys_and_other_databases_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(random_plans_agree_with_a_map, setup, teardown),
        cmocka_unit_test_setup_teardown(
            crashes_lose_no_acknowledged_plan_and_halve_none, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_see_whole_plans_only, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_plan_that_waited_too_long_does_not_happen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
