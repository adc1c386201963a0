/* Repair: reserved before it is written, confirmed after, by the one active steward. */

#include "contentdb/plan_repair.h"

#include "lib/base/clock.h"
#include "lib/format/placement_row.h"
#include "tests/support/cmocka.h"
#include "tests/unit/contentdb/content_fixture.h"

#include <stdlib.h>

static int setup(void **state)
{
    static struct content_fixture fixture;
    content_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    content_fixture_close(*state);
    return 0;
}

static Triad__Content__Outcome run(struct content_fixture *f, plan_fn *fn, void *arg)
{
    return plan_apply_one(f->kv, &f->env, fn, arg, clock_monotonic_ms() + 60000, NULL);
}

static uint32_t take(struct content_fixture *f, const char *uri, uint32_t held, bool is_free)
{
    struct plan_steward take = {.held = held, .is_free = is_free};
    f->env.uri = uri;
    assert_int_equal(run(f, plan_steward_take, &take), OUTCOME(DONE));
    return take.is_active ? take.fence : 0;
}

static void there_is_one_steward(void **state)
{
    struct content_fixture *f = *state;
    assert_int_equal(take(f, "s1", 0, false), 1);
    assert_int_equal(take(f, "s1", 1, false), 1);
    assert_int_equal(take(f, "s2", 0, false), 0);
    assert_int_equal(take(f, "s2", 1, false), 0);
    assert_int_equal(take(f, "s1", 0, false), 0); /* Started anew: it waits too. */
    assert_int_equal(take(f, "s2", 0, true), 2);
    assert_int_equal(take(f, "s1", 1, false), 0);
    struct plan_repair finish = {.fence = 1};
    f->env.uri = "s1";
    assert_int_equal(run(f, plan_repair_finish, &finish), OUTCOME(DENIED));
    finish.fence = 2;
    assert_int_equal(run(f, plan_repair_finish, &finish), OUTCOME(DENIED));
    f->env.uri = "s2";
    assert_int_equal(run(f, plan_repair_finish, &finish), OUTCOME(DONE));
}

static struct placement_entry
entry(struct content_fixture *f, const struct content *content, uint32_t chunk, uint32_t index)
{
    struct placement_entry entries[3 * 6];
    struct row_key key;
    assert_ok(placement_decode(
        content_fixture_row(f, row_key_placement(&key, content, 0)), entries, 3 * 6));
    return entries[chunk * 6 + index];
}

static struct plan_repair put_damaged(struct content_fixture *f)
{
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 3 * 64 * 1024);
    item->pages[0]->placement.data[36 + 5] = PLACEMENT_MISSING; /* Chunk 1, fragment 0. */
    struct plan_repair repair = {
        .bucket = f->grant.bucket, .chunk = 1, .last_account = FIXTURE_ACCOUNTS, .account = 12};
    assert_ok(commit_check_content(item->content, &repair.content));
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    return repair;
}

static void a_fragment_is_reserved_written_confirmed(void **state)
{
    struct content_fixture *f = *state;
    struct plan_repair repair = put_damaged(f);
    repair.fence = take(f, "s1", 0, false);
    assert_int_equal(content_fixture_count(f, 'Q'), 1);

    repair.account = 3; /* Has fragment 1 of the chunk. */
    assert_int_equal(run(f, plan_repair_reserve, &repair), OUTCOME(EXISTS));
    repair.account = FIXTURE_ACCOUNTS + 1;
    assert_int_equal(run(f, plan_repair_reserve, &repair), OUTCOME(INVALID));
    repair.account = 12;
    assert_int_equal(run(f, plan_repair_reserve, &repair), OUTCOME(DONE));
    assert_int_equal(repair.copy, 6);
    struct placement_entry reserved = entry(f, &repair.content, 1, 0);
    assert_int_equal(reserved.state, PLACEMENT_MISSING);
    assert_int_equal(reserved.account, 12);
    assert_int_equal(reserved.copy, 6);

    struct plan_repair late = repair;
    late.copy = 5;
    assert_int_equal(run(f, plan_repair_confirm, &late), OUTCOME(PRECONDITION));
    assert_int_equal(run(f, plan_repair_confirm, &repair), OUTCOME(DONE));
    assert_int_equal(run(f, plan_repair_confirm, &repair), OUTCOME(DONE));
    assert_int_equal(entry(f, &repair.content, 1, 0).state, PLACEMENT_STORED);
    assert_int_equal(content_fixture_count(f, 'Q'), 0);
    assert_int_equal(entry(f, &repair.content, 0, 0).account, 1);
    assert_int_equal(entry(f, &repair.content, 2, 5).account, 8);
}

static void copies_are_never_used_again(void **state)
{
    struct content_fixture *f = *state;
    struct plan_repair repair = put_damaged(f);
    repair.fence = take(f, "s1", 0, false);
    for (uint32_t copy = 6; copy < 256; copy++) {
        assert_int_equal(run(f, plan_repair_reserve, &repair), OUTCOME(DONE));
        assert_int_equal(repair.copy, copy);
    }
    assert_int_equal(run(f, plan_repair_reserve, &repair), OUTCOME(FULL));
}

static void a_report_is_one_task(void **state)
{
    struct content_fixture *f = *state;
    struct plan_repair repair = put_damaged(f);
    assert_int_equal(run(f, plan_repair_report, &repair), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'Q'), 1);
    repair.chunk = 2;
    assert_int_equal(run(f, plan_repair_report, &repair), OUTCOME(DONE));
    assert_int_equal(run(f, plan_repair_report, &repair), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'Q'), 2);
    repair.chunk = 3;
    assert_int_equal(run(f, plan_repair_report, &repair), OUTCOME(NOT_FOUND));
    repair.chunk = 1;
    repair.page = 1;
    assert_int_equal(run(f, plan_repair_report, &repair), OUTCOME(NOT_FOUND));
    repair.page = 0;
    repair.bucket.bytes[0]++;
    assert_int_equal(run(f, plan_repair_report, &repair), OUTCOME(NOT_FOUND));
}

static void what_nobody_refers_to_is_not_repaired(void **state)
{
    struct content_fixture *f = *state;
    struct plan_repair repair = put_damaged(f);
    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), NULL), OUTCOME(DONE));
    assert_int_equal(run(f, plan_repair_report, &repair), OUTCOME(NOT_FOUND));
    repair.fence = take(f, "s1", 0, false);
    assert_int_equal(run(f, plan_repair_reserve, &repair), OUTCOME(NOT_FOUND));
    repair.priority = 1;
    assert_int_equal(run(f, plan_repair_finish, &repair), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'Q'), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(there_is_one_steward),
        TEST(a_fragment_is_reserved_written_confirmed),
        TEST(copies_are_never_used_again),
        TEST(a_report_is_one_task),
        TEST(what_nobody_refers_to_is_not_repaired),
    };
    return cmocka_run_group_tests_name("plan_repair", tests, NULL, NULL);
}
