/* What the steward does about a fragment follows from what is known of it, and nothing is put
 * where another's bytes may lie. */

#include "steward/repair.h"

#include "tests/support/cmocka.h"

static void a_good_fragment_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(repair_decide(true, false, false, true), REPAIR_NOTHING);
    assert_int_equal(repair_decide(true, false, false, false), REPAIR_NOTHING);
}

/* A put whose answer came too late was stored all the same. */
static void a_missing_one_that_is_there_is_confirmed(void **state)
{
    (void)state;
    assert_int_equal(repair_decide(true, false, true, true), REPAIR_CONFIRM);
}

static void a_missing_one_goes_where_its_entry_says(void **state)
{
    (void)state;
    assert_int_equal(repair_decide(false, true, true, true), REPAIR_IN_PLACE);
    assert_int_equal(repair_decide(false, false, true, false), REPAIR_MOVE);
}

static void a_lost_one_gets_a_new_id(void **state)
{
    (void)state;
    assert_int_equal(repair_decide(false, true, false, true), REPAIR_MOVE);
}

static void a_node_that_is_away_is_waited_for(void **state)
{
    (void)state;
    assert_int_equal(repair_decide(false, false, false, false), REPAIR_WAIT);
    assert_int_equal(repair_decide(false, false, false, true), REPAIR_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_fragment_is_left_alone),
        cmocka_unit_test(a_missing_one_that_is_there_is_confirmed),
        cmocka_unit_test(a_missing_one_goes_where_its_entry_says),
        cmocka_unit_test(a_lost_one_gets_a_new_id),
        cmocka_unit_test(a_node_that_is_away_is_waited_for),
    };
    return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}
