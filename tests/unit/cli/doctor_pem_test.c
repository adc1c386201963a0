/* Trust is judged as gRPC judges it, apart from the dates; the dates are read. */

#include "cli/doctor_pem.h"

#include "lib/base/clock.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"

static struct test_pki *pki;
static struct test_pki *other;

static int setup(void **state)
{
    (void)state;
    return status_ok(test_pki_new("c1", &pki)) && status_ok(test_pki_new("c1", &other)) &&
                   status_ok(test_pki_issue(pki, "blobnode", "b1", NULL)) &&
                   status_ok(test_pki_issue(other, "blobnode", "b1", NULL))
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    test_pki_free(pki);
    test_pki_free(other);
    return 0;
}

static int verify(struct test_pki *of)
{
    OWNED(doctor_pem) struct doctor_pem *leaf = NULL;
    OWNED(doctor_pem) struct doctor_pem *ca = NULL;
    assert_ok(doctor_pem_read(test_pki_files(of, "blobnode", "b1").cert_file, &leaf));
    assert_ok(doctor_pem_read(test_pki_files(pki, "blobnode", "b1").ca_file, &ca));
    return doctor_pem_verify(leaf, ca);
}

static void only_our_own_ca_is_trusted(void **state)
{
    (void)state;
    assert_int_equal(verify(pki), X509_V_OK);
    assert_int_not_equal(verify(other), X509_V_OK);
}

static void dates_are_read(void **state)
{
    (void)state;
    OWNED(doctor_pem) struct doctor_pem *leaf = NULL;
    assert_ok(doctor_pem_read(test_pki_files(pki, "blobnode", "b1").cert_file, &leaf));
    int64_t left_s = doctor_pem_not_after(doctor_pem_leaf(leaf)) - clock_wall_s();
    assert_true(left_s > DAY_SECONDS - 600 && left_s <= DAY_SECONDS);
    assert_true(doctor_pem_first_end(leaf) <= doctor_pem_not_after(doctor_pem_leaf(leaf)));
    assert_true(doctor_pem_not_before(doctor_pem_leaf(leaf)) < clock_wall_s());
}

static void equal_is_the_same_leaf(void **state)
{
    (void)state;
    OWNED(doctor_pem) struct doctor_pem *a = NULL;
    OWNED(doctor_pem) struct doctor_pem *b = NULL;
    OWNED(doctor_pem) struct doctor_pem *c = NULL;
    assert_ok(doctor_pem_read(test_pki_files(pki, "blobnode", "b1").cert_file, &a));
    assert_ok(doctor_pem_read(test_pki_files(pki, "blobnode", "b1").cert_file, &b));
    assert_ok(doctor_pem_read(test_pki_files(other, "blobnode", "b1").cert_file, &c));
    assert_true(doctor_pem_equal(a, b));
    assert_false(doctor_pem_equal(a, c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_our_own_ca_is_trusted),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(equal_is_the_same_leaf),
    };
    return cmocka_run_group_tests_name("doctor_pem", tests, setup, teardown);
}
