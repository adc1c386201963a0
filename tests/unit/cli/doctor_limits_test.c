/* Limits are read from the kernel's own text. */

#include "cli/doctor_limits.h"

#include "tests/support/cmocka.h"

static void the_soft_limits_are_read(void **state)
{
    (void)state;
    struct doctor_limits limits;
    assert_true(doctor_limits_parse(
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max processes             15500                15500                processes \n"
        "Max open files            1024                 524288               files     \n"
        "Max locked memory         8388608              unlimited            bytes     \n",
        &limits));
    assert_int_equal(limits.files, 1024);
    assert_int_equal(limits.locked_bytes, 8388608);
    assert_true(doctor_limits_parse(
        "Max open files            unlimited            unlimited            files     \n"
        "Max locked memory         unlimited            unlimited            bytes     \n",
        &limits));
    assert_true(limits.files == UINT64_MAX && limits.locked_bytes == UINT64_MAX);
    assert_false(doctor_limits_parse("Max open files            1024\n", &limits));
    assert_false(doctor_limits_parse("Max open files  x\nMax locked memory  1\n", &limits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_soft_limits_are_read),
    };
    return cmocka_run_group_tests_name("doctor_limits", tests, NULL, NULL);
}
