/* A configuration is read with its own daemon's bounds; what is wrong is named. */

#include "cli/doctor_target.h"

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[256];
static struct cli cli;

static int setup(void **state)
{
    (void)state;
    const char *base = getenv("TEST_TMPDIR");
    snprintf(path, sizeof(path), "%s/target_%d.conf", base != NULL ? base : "/tmp", (int)getpid());
    arena_init(&cli.arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&cli.arena);
    return unlink(path);
}

static struct doctor_target load(const char *more)
{
    struct doctor_target target;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(
        file,
        "cluster = c\nnode_id = n\nca_file = a\ncert_file = b\nkey_file = d\nlisten = :1\n"
        "data_dir = /d\nkeyset_root_file = k\n%s",
        more);
    fclose(file);
    doctor_target_load(&cli, path, NULL, &target);
    return target;
}

static void values_are_the_files_or_the_defaults(void **state)
{
    (void)state;
    struct doctor_target target = load("space_reserve = 2GiB\n");
    assert_null(target.error);
    assert_string_equal(target.role->name, "blobnode");
    assert_string_equal(doctor_target_text(&target, "data_dir"), "/d");
    assert_null(doctor_target_text(&target, "admin_listen"));
    assert_null(doctor_target_text(&target, "seal_key_file"));
    assert_null(doctor_target_text(&target, "space_reserve"));
    assert_true(doctor_target_number(&target, "space_reserve", 7) == 2ull << 30);
    assert_int_equal(doctor_target_number(&target, "workers", 7), 16);
    assert_int_equal(doctor_target_number(&target, "large_data", 7), 7);
    assert_int_equal(doctor_target_number(&target, "data_dir", 7), 7);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    struct doctor_target target = load("wurkers = 3\n");
    assert_null(target.settings);
    assert_non_null(strstr(target.error, "wurkers: there is no such option"));
    target = load("workers = 100000\n");
    assert_non_null(strstr(target.error, "512"));
    assert_null(doctor_target_text(&target, "data_dir"));
    doctor_target_load(&cli, "/nowhere", NULL, &target);
    assert_null(target.role);
    assert_non_null(strstr(target.error, "No such file"));
    load("");
    doctor_target_load(&cli, path, doctor_role_named("keystore"), &target);
    assert_non_null(strstr(target.error, "keyset_root_file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_the_files_or_the_defaults),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests_name("doctor_target", tests, setup, teardown);
}
