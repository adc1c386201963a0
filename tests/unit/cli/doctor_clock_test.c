/* A clock is called wrong only where the way there and back cannot explain it. */

#include "cli/doctor_clock.h"

#include "tests/support/cmocka.h"

static void a_clock_is_judged_by_what_is_certain(void **state)
{
    (void)state;
    assert_int_equal(doctor_clock_judge(0, 0), DOCTOR_OK);
    assert_int_equal(doctor_clock_judge(1000, 0), DOCTOR_OK);
    assert_int_equal(doctor_clock_judge(1001, 0), DOCTOR_WARN);
    assert_int_equal(doctor_clock_judge(-1001, 0), DOCTOR_WARN);
    assert_int_equal(doctor_clock_judge(-1500, 500), DOCTOR_OK);
    assert_int_equal(doctor_clock_judge(60000, 0), DOCTOR_WARN);
    assert_int_equal(doctor_clock_judge(-60001, 0), DOCTOR_FAIL);
    assert_int_equal(doctor_clock_judge(63000, 3000), DOCTOR_WARN);
}

static enum doctor_state
compare(int64_t peer_ms, int64_t before_ms, int64_t after_ms, int64_t res_ms)
{
    struct cli cli = {.is_json = true};
    struct doctor doctor;
    enum doctor_state found = DOCTOR_OK;
    arena_init(&cli.arena, 1 << 16);
    doctor_init(&doctor, &cli);
    doctor.subject = doctor.check = "clock";
    doctor_clock_compare(&doctor, "peer", peer_ms, before_ms, after_ms, res_ms);
    found = doctor.counts[DOCTOR_FAIL] > 0 ? DOCTOR_FAIL : found;
    found = doctor.counts[DOCTOR_WARN] > 0 ? DOCTOR_WARN : found;
    cJSON_Delete(doctor.findings);
    arena_done(&cli.arena);
    return found;
}

static void a_slow_answer_excuses_its_clock(void **state)
{
    (void)state;
    assert_int_equal(compare(1000500, 1000000, 1001000, 0), DOCTOR_OK);
    assert_int_equal(
        compare(1003000, 1000000, 1004000, 0), DOCTOR_OK); /* 1 s off, 2 s on the way. */
    assert_int_equal(compare(1005000, 1000000, 1001000, 0), DOCTOR_WARN);
    assert_int_equal(compare(1002000, 1000000, 1000000, 0), DOCTOR_WARN);
    assert_int_equal(compare(1002000, 1000000, 1000000, 1000), DOCTOR_OK);
    assert_int_equal(compare(900000, 1000000, 1001000, 500), DOCTOR_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_is_judged_by_what_is_certain),
        cmocka_unit_test(a_slow_answer_excuses_its_clock),
    };
    return cmocka_run_group_tests_name("doctor_clock", tests, NULL, NULL);
}
