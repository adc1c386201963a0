/* Fragments go to distinct accounts, on distinct nodes as far as there are enough, and evenly. */

#include "lib/cluster/placement.h"

#include "lib/crypto/random.h"
#include "tests/support/cmocka.h"

enum { ACCOUNTS = 6, RUNS = 3000 };

/* Three nodes with two accounts each, as the quickstart has. */
static void make_six(struct placement_candidate candidates[ACCOUNTS])
{
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        candidates[i] = (struct placement_candidate){
            .account = i + 1, .node = i / 2, .is_up = true, .free_bytes = 1000};
    }
}

static void choose(
    const struct placement_candidate *candidates, size_t count, unsigned wanted, uint32_t *chosen)
{
    uint8_t random[4 * PLACEMENT_FRAGMENTS_MAX + 4];
    unsigned up = 0;
    assert_ok(random_bytes(random, sizeof(random)));
    assert_ok(placement_choose(candidates, count, wanted, random, chosen, &up));
}

static void accounts_are_distinct(void **state)
{
    (void)state;
    struct placement_candidate candidates[ACCOUNTS];
    make_six(candidates);
    for (int run = 0; run < RUNS; run++) {
        uint32_t chosen[ACCOUNTS];
        choose(candidates, ACCOUNTS, ACCOUNTS, chosen);
        unsigned seen = 0;
        for (unsigned i = 0; i < ACCOUNTS; i++) {
            assert_true(chosen[i] >= 1 && chosen[i] <= ACCOUNTS);
            seen |= 1u << chosen[i];
        }
        assert_int_equal(seen, 0x7e);
    }
}

static void three_copies_lie_on_three_nodes(void **state)
{
    (void)state;
    struct placement_candidate candidates[ACCOUNTS];
    make_six(candidates);
    for (int run = 0; run < RUNS; run++) {
        uint32_t chosen[3];
        choose(candidates, ACCOUNTS, 3, chosen);
        unsigned nodes = 0;
        for (unsigned i = 0; i < 3; i++) {
            nodes |= 1u << candidates[chosen[i] - 1].node;
        }
        assert_int_equal(nodes, 7);
    }
}

static void every_account_gets_its_share(void **state)
{
    (void)state;
    struct placement_candidate candidates[ACCOUNTS];
    unsigned counts[ACCOUNTS + 1] = {0};
    make_six(candidates);
    for (int run = 0; run < RUNS; run++) {
        uint32_t chosen[3];
        choose(candidates, ACCOUNTS, 3, chosen);
        for (unsigned i = 0; i < 3; i++) {
            counts[chosen[i]]++;
        }
    }
    for (unsigned i = 1; i <= ACCOUNTS; i++) { /* RUNS / 2 each; six sigma is far inside. */
        assert_in_range(counts[i], RUNS / 2 - 300, RUNS / 2 + 300);
    }
}

static void more_free_space_draws_more(void **state)
{
    (void)state;
    struct placement_candidate candidates[4];
    unsigned emptier = 0;
    for (uint32_t i = 0; i < 4; i++) {
        candidates[i] = (struct placement_candidate){
            .account = i + 1, .node = i, .is_up = true, .free_bytes = i == 3 ? 2000 : 1000};
    }
    for (int run = 0; run < RUNS; run++) {
        uint32_t chosen[1];
        choose(candidates, 4, 1, chosen);
        emptier += chosen[0] == 4 ? 1 : 0;
    }
    /* Drawn as one of two with probability 7/16. */
    assert_in_range(emptier, RUNS * 35 / 100, RUNS * 52 / 100);
}

static void accounts_that_are_down_come_last(void **state)
{
    (void)state;
    struct placement_candidate candidates[ACCOUNTS];
    uint8_t random[4 * ACCOUNTS + 4] = {1, 2, 3, 4, 5, 6, 7};
    uint32_t chosen[ACCOUNTS];
    unsigned up = 0;
    make_six(candidates);
    candidates[0].is_up = false;
    candidates[3].is_up = false;
    assert_ok(placement_choose(candidates, ACCOUNTS, ACCOUNTS, random, chosen, &up));
    assert_int_equal(up, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(candidates[chosen[i] - 1].is_up);
    }
}

static void another_account_is_none_of_those_used(void **state)
{
    (void)state;
    struct placement_candidate candidates[ACCOUNTS];
    const uint32_t used[] = {1, 3, 5, 2, 4};
    uint8_t random[8] = {9, 9, 9, 9};
    uint32_t other = 0;
    make_six(candidates);
    assert_ok(placement_choose_other(candidates, ACCOUNTS, used, 5, random, &other));
    assert_int_equal(other, 6);
    candidates[5].is_up = false;
    assert_status(
        placement_choose_other(candidates, ACCOUNTS, used, 5, random, &other), STATUS_UNAVAILABLE);
}

static void
expect_layout(uint64_t length, size_t accounts, size_t up, unsigned k, unsigned m, bool is_reduced)
{
    struct placement_candidate candidates[ACCOUNTS];
    struct placement_policy policy = placement_policy_default();
    struct placement_layout layout;
    make_six(candidates);
    for (size_t i = 0; i < accounts; i++) {
        candidates[i].is_up = i < up;
    }
    assert_ok(placement_layout_choose(&policy, length, candidates, accounts, &layout));
    assert_int_equal(layout.k, k);
    assert_int_equal(layout.m, m);
    assert_int_equal(layout.is_reduced, is_reduced);
}

static void the_layout_follows_size_and_accounts(void **state)
{
    (void)state;
    expect_layout(65535, 6, 6, 1, 2, false);
    expect_layout(65536, 6, 6, 4, 2, false);
    expect_layout(65536, 6, 5, 4, 2, false);
    expect_layout(65536, 6, 4, 1, 2, true);
    expect_layout(1, 6, 2, 1, 2, false);
    expect_layout(1 << 20, 3, 3, 1, 2, true);
    expect_layout(1, 2, 2, 1, 1, true);
    expect_layout(1, 1, 1, 1, 0, true);
}

static void too_few_accounts_are_unavailable(void **state)
{
    (void)state;
    struct placement_candidate candidates[ACCOUNTS];
    struct placement_policy policy = placement_policy_default();
    struct placement_layout layout;
    make_six(candidates);
    for (size_t i = 1; i < ACCOUNTS; i++) {
        candidates[i].is_up = false;
    }
    assert_status(
        placement_layout_choose(&policy, 1, candidates, ACCOUNTS, &layout), STATUS_UNAVAILABLE);
    assert_status(placement_layout_choose(&policy, 1, candidates, 0, &layout), STATUS_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accounts_are_distinct),
        cmocka_unit_test(three_copies_lie_on_three_nodes),
        cmocka_unit_test(every_account_gets_its_share),
        cmocka_unit_test(more_free_space_draws_more),
        cmocka_unit_test(accounts_that_are_down_come_last),
        cmocka_unit_test(another_account_is_none_of_those_used),
        cmocka_unit_test(the_layout_follows_size_and_accounts),
        cmocka_unit_test(too_few_accounts_are_unavailable),
    };
    return cmocka_run_group_tests_name("placement", tests, NULL, NULL);
}
