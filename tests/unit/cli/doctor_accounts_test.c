/* An operator is warned before the loss of one node endangers objects, and of keysets that end. */

#include "cli/doctor_accounts.h"

#include "tests/support/cmocka.h"

static enum doctor_state judge(unsigned active, unsigned nodes)
{
    const char *why = NULL;
    struct doctor_accounts accounts = {.active = active, .nodes = nodes, .domains = nodes};
    enum doctor_state state = doctor_accounts_judge(&accounts, 4, 2, &why);
    assert_non_null(why);
    return state;
}

static void six_accounts_on_six_nodes_are_enough(void **state)
{
    (void)state;
    assert_int_equal(judge(6, 6), DOCTOR_OK);
    assert_int_equal(judge(12, 8), DOCTOR_OK);
}

static void few_nodes_or_accounts_are_warned_of(void **state)
{
    (void)state;
    assert_int_equal(judge(6, 5), DOCTOR_WARN);
    assert_int_equal(judge(6, 3), DOCTOR_WARN);
    assert_int_equal(judge(5, 5), DOCTOR_WARN);
}

static void fewer_than_a_write_needs_fail(void **state)
{
    (void)state;
    assert_int_equal(judge(4, 4), DOCTOR_FAIL);
    assert_int_equal(judge(0, 0), DOCTOR_FAIL);
}

static void a_keyset_that_ends_is_told_before(void **state)
{
    (void)state;
    assert_int_equal(doctor_accounts_judge_keyset(10900, 10000), DOCTOR_OK);
    assert_int_equal(doctor_accounts_judge_keyset(10300, 10000), DOCTOR_OK);
    assert_int_equal(doctor_accounts_judge_keyset(10299, 10000), DOCTOR_WARN);
    assert_int_equal(doctor_accounts_judge_keyset(10000, 10000), DOCTOR_FAIL);
    assert_int_equal(doctor_accounts_judge_keyset(0, 10000), DOCTOR_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_accounts_on_six_nodes_are_enough),
        cmocka_unit_test(few_nodes_or_accounts_are_warned_of),
        cmocka_unit_test(fewer_than_a_write_needs_fail),
        cmocka_unit_test(a_keyset_that_ends_is_told_before),
    };
    return cmocka_run_group_tests_name("doctor_accounts", tests, NULL, NULL);
}
