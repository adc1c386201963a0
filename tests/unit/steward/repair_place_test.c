/* A fragment that is repaired lies as well spread over the nodes as it did before. */

#include "steward/repair_place.h"

#include "tests/support/cmocka.h"

enum { NODES = 3, ACCOUNTS = 6 };

/* Accounts 1 and 2 on node 0, 3 and 4 on node 1, 5 and 6 on node 2. */
static void fill(struct placement_candidate candidates[ACCOUNTS])
{
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        candidates[i] = (struct placement_candidate){
            .account = i + 1, .node = i / (ACCOUNTS / NODES), .is_up = true};
    }
}

static void the_other_account_of_the_same_node_is_taken(void **state)
{
    (void)state;
    const uint32_t accounts[] = {6, 4, 2};
    for (unsigned dice = 0; dice < 256; dice++) {
        struct placement_candidate candidates[ACCOUNTS];
        const uint8_t random[8] = {(uint8_t)dice, (uint8_t)(dice * 7), (uint8_t)(dice * 31), 9};
        fill(candidates);
        uint32_t chosen = 0;
        assert_ok(repair_place_choose(candidates, ACCOUNTS, accounts, 3, 1, true, random, &chosen));
        assert_int_equal(chosen, 3);
    }
}

static void where_all_are_used_it_stays(void **state)
{
    (void)state;
    const uint32_t accounts[] = {1, 2, 3, 4, 5, 6};
    const uint8_t random[8] = {1, 2, 3, 4};
    struct placement_candidate candidates[ACCOUNTS];
    fill(candidates);
    uint32_t chosen = 0;
    assert_ok(repair_place_choose(candidates, ACCOUNTS, accounts, 6, 3, true, random, &chosen));
    assert_int_equal(chosen, 4);
    fill(candidates);
    assert_status(
        repair_place_choose(candidates, ACCOUNTS, accounts, 6, 3, false, random, &chosen),
        STATUS_UNAVAILABLE);
}

static void it_stays_rather_than_share_a_node(void **state)
{
    (void)state;
    const uint32_t accounts[] = {1, 3, 5};
    const uint8_t random[8] = {5, 6, 7, 8};
    struct placement_candidate candidates[ACCOUNTS];
    fill(candidates);
    candidates[5].is_up = false; /* The other one of node 2. */
    uint32_t chosen = 0;
    assert_ok(repair_place_choose(candidates, ACCOUNTS, accounts, 3, 2, true, random, &chosen));
    assert_int_equal(chosen, 5);
    fill(candidates);
    candidates[5].is_up = false; /* Its own place did not take it: anything is better. */
    assert_ok(repair_place_choose(candidates, ACCOUNTS, accounts, 3, 2, false, random, &chosen));
    assert_true(chosen == 2 || chosen == 4);
}

static void a_node_that_is_down_is_left(void **state)
{
    (void)state;
    const uint32_t accounts[] = {1, 3, 5};
    const uint8_t random[8] = {5, 6, 7, 8};
    struct placement_candidate candidates[ACCOUNTS];
    fill(candidates);
    candidates[4].is_up = false;
    candidates[5].is_up = false;
    uint32_t chosen = 0;
    assert_ok(repair_place_choose(candidates, ACCOUNTS, accounts, 3, 2, true, random, &chosen));
    assert_true(chosen == 2 || chosen == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_other_account_of_the_same_node_is_taken),
        cmocka_unit_test(where_all_are_used_it_stays),
        cmocka_unit_test(it_stays_rather_than_share_a_node),
        cmocka_unit_test(a_node_that_is_down_is_left),
    };
    return cmocka_run_group_tests_name("repair_place", tests, NULL, NULL);
}
