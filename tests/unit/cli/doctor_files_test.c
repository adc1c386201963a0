/* A secret is the daemon's alone, and the seal key is not beside what it seals. */

#include "cli/doctor_files.h"

#include "lib/base/file.h"
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum doctor_state mode(mode_t bits)
{
    const char *why = NULL;
    enum doctor_state state = doctor_files_judge_mode(S_IFREG | bits, &why);
    assert_true((state == DOCTOR_OK) == (why == NULL));
    return state;
}

static void only_the_owner_may_use_a_secret(void **state)
{
    (void)state;
    assert_int_equal(mode(0600), DOCTOR_OK);
    assert_int_equal(mode(0400), DOCTOR_OK);
    assert_int_equal(mode(0700), DOCTOR_OK);
    assert_int_equal(mode(0640), DOCTOR_WARN);
    assert_int_equal(mode(0750), DOCTOR_WARN);
    assert_int_equal(mode(0660), DOCTOR_FAIL);
    assert_int_equal(mode(0604), DOCTOR_FAIL);
    assert_int_equal(mode(0644), DOCTOR_FAIL);
    assert_int_equal(mode(0701), DOCTOR_FAIL);
    assert_int_equal(mode(0602), DOCTOR_FAIL);
}

static void a_secret_is_the_daemons(void **state)
{
    (void)state;
    const char *why = NULL;
    assert_int_equal(doctor_files_judge_owner(0, 0, &why), DOCTOR_OK);
    assert_int_equal(doctor_files_judge_owner(1000, 1000, &why), DOCTOR_OK);
    assert_null(why);
    assert_int_equal(doctor_files_judge_owner(0, 1000, &why), DOCTOR_WARN);
    assert_non_null(why);
    assert_int_equal(doctor_files_judge_owner(1001, 1000, &why), DOCTOR_FAIL);
    assert_int_equal(doctor_files_judge_owner(1001, 0, &why), DOCTOR_FAIL);
}

static void inside_is_by_real_paths(void **state)
{
    (void)state;
    const char *base = getenv("TEST_TMPDIR");
    char directory[256];
    char path[512];
    char data[300];
    snprintf(directory, sizeof(directory), "%s/files_XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(directory));
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(mkdirat(fd, "data", 0700), 0);
    assert_int_equal(mkdirat(fd, "data2", 0700), 0);
    assert_ok(file_replace(fd, "outside", bytes_text("k"), 0600));
    assert_int_equal(symlinkat("data", fd, "link"), 0);
    int data_fd = openat(fd, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_ok(file_replace(data_fd, "key", bytes_text("k"), 0600));
    snprintf(data, sizeof(data), "%s/data", directory);

    static const struct {
        const char *name;
        bool is_inside;
    } cases[] = {{"data/key", true},      {"link/key", true}, {"data/../data/key", true},
                 {"outside", false},      {"data2", false},   {"data/../outside", false},
                 {"data/nowhere", false}, {"data", true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, cases[i].name);
        assert_int_equal(doctor_files_is_inside(path, data), cases[i].is_inside);
    }
    unlinkat(data_fd, "key", 0);
    unlinkat(fd, "link", 0);
    unlinkat(fd, "outside", 0);
    unlinkat(fd, "data", AT_REMOVEDIR);
    unlinkat(fd, "data2", AT_REMOVEDIR);
    close(data_fd);
    close(fd);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_owner_may_use_a_secret),
        cmocka_unit_test(a_secret_is_the_daemons),
        cmocka_unit_test(inside_is_by_real_paths),
    };
    return cmocka_run_group_tests_name("doctor_files", tests, NULL, NULL);
}
