/* What a configuration's certificate must be: of its cluster, role and id, with its key, in time.
 */

#include "cli/doctor_certificate.h"

#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"

#include <stdio.h>
#include <string.h>

static struct test_pki *pki;

static int setup(void **state)
{
    (void)state;
    return status_ok(test_pki_new("c1", &pki)) &&
                   status_ok(test_pki_issue(pki, "steward", "s1", NULL)) &&
                   status_ok(test_pki_issue(pki, "steward", "s2", NULL)) &&
                   status_ok(test_pki_issue(pki, "frontend", "f1", "operators"))
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    test_pki_free(pki);
    return 0;
}

/* What the check of a steward's configuration with these files and names finds: FAILs, and that
 * one of the findings says it. */
static unsigned
failures(const char *cluster, const char *node, const char *cert, const char *key, const char *says)
{
    char path[512];
    struct cli cli = {.is_json = true};
    struct doctor doctor;
    struct doctor_target target;
    arena_init(&cli.arena, 1 << 20);
    snprintf(path, sizeof(path), "%s/steward.conf", test_pki_dir(pki));
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(
        file,
        "cluster = %s\nnode_id = %s\nca_file = %s/ca.pem\ncert_file = %s/%s\nkey_file = %s/%s\n"
        "keystore_address = a:1\nkeystore_tls_name = k\ncontentdb_address = a:2\n"
        "contentdb_tls_name = c\n",
        cluster, node, test_pki_dir(pki), test_pki_dir(pki), cert, test_pki_dir(pki), key);
    fclose(file);
    doctor_init(&doctor, &cli);
    doctor.subject = "steward";
    doctor.check = "certificate";
    doctor_target_load(&cli, path, NULL, &target);
    assert_null(target.error);
    assert_string_equal(target.role->name, "steward");
    doctor_certificate_check(&doctor, &target);
    char *text = cJSON_PrintUnformatted(doctor.findings);
    if (strstr(text, says) == NULL) {
        fail_msg("\"%s\" is not in %s", says, text);
    }
    cJSON_free(text);
    unsigned count = doctor.counts[DOCTOR_FAIL];
    cJSON_Delete(doctor.findings);
    arena_done(&cli.arena);
    return count;
}

static void the_right_certificate_is_only_warned_of(void **state)
{
    (void)state;
    /* The test PKI issues for a day. */
    assert_int_equal(failures("c1", "s1", "steward-s1.pem", "steward-s1.key", "\"warn\""), 0);
}

static void another_cluster_is_found(void **state)
{
    (void)state;
    assert_int_equal(
        failures("c2", "s1", "steward-s1.pem", "steward-s1.key", "not an identity of cluster c2"),
        1);
}

static void another_id_or_role_is_found(void **state)
{
    (void)state;
    assert_int_equal(
        failures("c1", "s1", "steward-s2.pem", "steward-s2.key", "wanted is steward/s1"), 1);
    assert_int_equal(
        failures("c1", "f1", "frontend-f1.pem", "frontend-f1.key", "wrong CA for its role"), 1);
}

static void a_key_of_another_is_found(void **state)
{
    (void)state;
    assert_int_equal(
        failures("c1", "s1", "steward-s1.pem", "steward-s2.key", "does not belong"), 1);
    assert_int_equal(failures("c1", "s1", "steward-s1.pem", "steward-s1.pem", "no PEM key"), 1);
}

static void a_file_without_a_certificate_is_found(void **state)
{
    (void)state;
    assert_int_equal(
        failures("c1", "s1", "steward-s1.key", "steward-s1.key", "no certificate in the file"), 1);
    assert_int_equal(failures("c1", "s1", "nowhere.pem", "steward-s1.key", "No such file"), 1);
}

static void days_are_judged_at_their_bounds(void **state)
{
    (void)state;
    int64_t day = DAY_SECONDS;
    assert_int_equal(doctor_certificate_judge(100 * day, 86 * day, 14), DOCTOR_OK);
    assert_int_equal(doctor_certificate_judge(100 * day - 1, 86 * day, 14), DOCTOR_WARN);
    assert_int_equal(doctor_certificate_judge(86 * day + 1, 86 * day, 14), DOCTOR_WARN);
    assert_int_equal(doctor_certificate_judge(86 * day, 86 * day, 14), DOCTOR_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_certificate_is_only_warned_of),
        cmocka_unit_test(another_cluster_is_found),
        cmocka_unit_test(another_id_or_role_is_found),
        cmocka_unit_test(a_key_of_another_is_found),
        cmocka_unit_test(a_file_without_a_certificate_is_found),
        cmocka_unit_test(days_are_judged_at_their_bounds),
    };
    return cmocka_run_group_tests_name("doctor_certificate", tests, setup, teardown);
}
