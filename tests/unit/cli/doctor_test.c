/* Findings are counted, carry advice unless all is well, and cannot write to a terminal. */

#include "cli/doctor.h"

#include "tests/support/cmocka.h"

#include <string.h>

static struct cli cli;
static struct doctor doctor;

static int setup(void **state)
{
    (void)state;
    cli = (struct cli){.is_json = true};
    arena_init(&cli.arena, 1 << 16);
    doctor_init(&doctor, &cli);
    doctor.subject = "s";
    doctor.check = "c";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cJSON_Delete(doctor.findings);
    arena_done(&cli.arena);
    return 0;
}

static const char *field(int index, const char *name)
{
    return cJSON_GetStringValue(
        cJSON_GetObjectItem(cJSON_GetArrayItem(doctor.findings, index), name));
}

static void findings_are_counted(void **state)
{
    (void)state;
    doctor_ok(&doctor, "fine");
    doctor_warn(&doctor, "do %s", "a %d", 1);
    doctor_fail(&doctor, "act", "b");
    doctor_tell(&doctor, DOCTOR_FAIL, "act", "c");
    assert_int_equal(doctor.counts[DOCTOR_OK], 1);
    assert_int_equal(doctor.counts[DOCTOR_WARN], 1);
    assert_int_equal(doctor.counts[DOCTOR_FAIL], 2);
    assert_string_equal(field(0, "state"), "ok");
    assert_null(field(0, "advice"));
    assert_string_equal(field(1, "found"), "a 1");
    assert_string_equal(field(1, "advice"), "do %s");
    assert_string_equal(field(3, "state"), "fail");
}

static void control_characters_are_not_printed(void **state)
{
    (void)state;
    doctor_ok(&doctor, "%s", "a\x1b[31m\nb\x7f");
    assert_string_equal(field(0, "found"), "a?[31m?b?");
}

static int marks;

static void mark(struct doctor *of, void *context)
{
    marks = 10 * marks + *(int *)context;
    doctor_ok(of, "x");
}

static void a_table_runs_in_order_under_its_names(void **state)
{
    (void)state;
    int one = 1;
    const struct doctor_check table[] = {{"first", mark}, {"second", mark}, {.name = NULL}};
    marks = 0;
    doctor_run(&doctor, "subject", table, &one);
    assert_int_equal(marks, 11);
    assert_string_equal(field(0, "check"), "first");
    assert_string_equal(field(1, "check"), "second");
    assert_string_equal(field(1, "subject"), "subject");
}

static void a_reason_is_told_without_file_and_line(void **state)
{
    (void)state;
    assert_string_equal(doctor_why(&doctor, FAIL(INVALID, "what: it is")), "what: it is");
    assert_string_equal(
        doctor_why(&doctor, FAIL_ERRNO(2, "open")), "open: No such file or directory");
    struct status bare = {.code = STATUS_TIMEOUT};
    assert_string_equal(doctor_why(&doctor, bare), "deadline exceeded");
}

static void dates_are_dates(void **state)
{
    (void)state;
    assert_string_equal(doctor_date(&doctor, 0), "1970-01-01");
    assert_string_equal(doctor_date(&doctor, 784111777), "1994-11-06");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(findings_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(control_characters_are_not_printed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_table_runs_in_order_under_its_names, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reason_is_told_without_file_and_line, setup, teardown),
        cmocka_unit_test_setup_teardown(dates_are_dates, setup, teardown),
    };
    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
