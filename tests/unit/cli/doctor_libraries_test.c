/* A library older than the one that Triad was built with is told. */

#include "cli/doctor_libraries.h"

#include "tests/support/cmocka.h"

static void versions_are_compared_as_numbers(void **state)
{
    (void)state;
    assert_int_equal(doctor_libraries_compare("3.0.9", "3.0.9"), DOCTOR_OK);
    assert_int_equal(doctor_libraries_compare("3.0.9", "3.0.15"), DOCTOR_OK);
    assert_int_equal(doctor_libraries_compare("3.0.15", "3.0.9"), DOCTOR_WARN);
    assert_int_equal(doctor_libraries_compare("3.0.9", "3.1.0"), DOCTOR_OK);
    assert_int_equal(doctor_libraries_compare("3.1.0", "3.0.9"), DOCTOR_WARN);
    assert_int_equal(doctor_libraries_compare("3.1.0", "4.1.0"), DOCTOR_WARN);
    assert_int_equal(doctor_libraries_compare("29.0.0", ""), DOCTOR_WARN);
    assert_int_equal(doctor_libraries_compare("1.4", "1.4.0"), DOCTOR_OK);
}

static void what_is_loaded_here_is_what_this_was_built_with(void **state)
{
    (void)state;
    struct cli cli = {.is_json = true};
    struct doctor doctor;
    arena_init(&cli.arena, 1 << 16);
    doctor_init(&doctor, &cli);
    doctor.subject = doctor.check = "libraries";
    doctor_libraries_check(&doctor, NULL);
    assert_int_equal(doctor.counts[DOCTOR_OK], 6); /* Triad and five libraries. */
    assert_int_equal(doctor.counts[DOCTOR_WARN] + doctor.counts[DOCTOR_FAIL], 0);
    cJSON_Delete(doctor.findings);
    arena_done(&cli.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_compared_as_numbers),
        cmocka_unit_test(what_is_loaded_here_is_what_this_was_built_with),
    };
    return cmocka_run_group_tests_name("doctor_libraries", tests, NULL, NULL);
}
