/* A disk that is slow, full, volatile or pretends to sync is told from a good one. */

#include "cli/doctor_disk.h"

#include "tests/support/cmocka.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <unistd.h>

static void quantiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    int64_t values[100];
    for (int i = 0; i < 100; i++) {
        values[i] = (i * 37) % 100; /* 0 to 99, mixed. */
    }
    assert_int_equal(doctor_disk_quantile(values, 100, 500), 50);
    assert_int_equal(doctor_disk_quantile(values, 100, 990), 99);
    assert_int_equal(doctor_disk_quantile(values, 100, 1000), 99);
    assert_int_equal(doctor_disk_quantile(values, 1, 990), 0);
}

static enum doctor_state sync_of(int64_t median_us, int64_t p99_us)
{
    const char *advice = NULL;
    enum doctor_state state = doctor_disk_judge_sync(median_us, p99_us, &advice);
    assert_true((state == DOCTOR_OK) == (advice == NULL));
    return state;
}

static void slow_and_unbelievable_syncs_are_warned_of(void **state)
{
    (void)state;
    assert_int_equal(sync_of(100, 20000), DOCTOR_OK);
    assert_int_equal(sync_of(100, 20001), DOCTOR_WARN);
    assert_int_equal(sync_of(5, 10), DOCTOR_OK);
    assert_int_equal(sync_of(4, 10), DOCTOR_WARN);
}

static void space_is_judged_by_the_reserve(void **state)
{
    (void)state;
    assert_int_equal(doctor_disk_judge_space(100, 100), DOCTOR_FAIL);
    assert_int_equal(doctor_disk_judge_space(101, 100), DOCTOR_WARN);
    assert_int_equal(doctor_disk_judge_space(199, 100), DOCTOR_WARN);
    assert_int_equal(doctor_disk_judge_space(200, 100), DOCTOR_OK);
    assert_int_equal(doctor_disk_judge_space(UINT64_MAX, 1ull << 40), DOCTOR_OK);
    assert_int_equal(doctor_disk_judge_space(1, 0), DOCTOR_OK);
    assert_int_equal(doctor_disk_judge_space(0, 0), DOCTOR_FAIL);
}

static void volatile_and_foreign_file_systems_are_doubted(void **state)
{
    (void)state;
    assert_non_null(doctor_disk_doubt(TMPFS_MAGIC));
    assert_non_null(doctor_disk_doubt(OVERLAYFS_SUPER_MAGIC));
    assert_non_null(doctor_disk_doubt(NFS_SUPER_MAGIC));
    assert_non_null(doctor_disk_doubt(0xfe534d42ul));
    assert_null(doctor_disk_doubt(EXT4_SUPER_MAGIC));
    assert_null(doctor_disk_doubt(XFS_SUPER_MAGIC));
    assert_null(doctor_disk_doubt(BTRFS_SUPER_MAGIC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
        cmocka_unit_test(slow_and_unbelievable_syncs_are_warned_of),
        cmocka_unit_test(space_is_judged_by_the_reserve),
        cmocka_unit_test(volatile_and_foreign_file_systems_are_doubted),
    };
    return cmocka_run_group_tests_name("doctor_disk", tests, NULL, NULL);
}
