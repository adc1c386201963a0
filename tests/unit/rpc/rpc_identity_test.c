/* A name is an identity only if it is exactly triad://<cluster>/<role>/<id>, from the right CA. */

#include "lib/rpc/rpc_identity.h"

#include "lib/base/buffer.h"
#include "lib/base/file.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"

#include <fcntl.h>
#include <string.h>

static enum status_code parse(const char *uri, struct rpc_peer *peer)
{
    return rpc_identity_parse(bytes_text(uri), "c1", peer).code;
}

static void each_role_has_a_name(void **state)
{
    (void)state;
    for (unsigned role = RPC_ROLE_FRONTEND; role <= RPC_ROLE_OPERATOR; role <<= 1) {
        const char *name = rpc_role_name((enum rpc_role)role);
        assert_int_equal(rpc_role_of_name(bytes_text(name)), role);
    }
    assert_int_equal(rpc_role_of_name(bytes_text("root")), 0);
    assert_int_equal(rpc_role_of_name(bytes_text("")), 0);
    assert_int_equal(rpc_role_of_name(bytes_text("Frontend")), 0);
}

static void a_good_uri_is_split(void **state)
{
    (void)state;
    struct rpc_peer peer;
    assert_int_equal(parse("triad://c1/blobnode/node-7.a_B", &peer), STATUS_OK);
    assert_int_equal(peer.role, RPC_ROLE_BLOBNODE);
    assert_string_equal(peer.id, "node-7.a_B");
    assert_string_equal(peer.uri, "triad://c1/blobnode/node-7.a_B");
}

static void anything_else_is_invalid(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "triad:",
        "triad://",
        "triad://c1",
        "triad://c1/",
        "triad://c1/blobnode",
        "triad://c1/blobnode/",
        "triad://c1//x",
        "triad://c11/blobnode/x",
        "triad://c/blobnode/x",
        "Triad://c1/blobnode/x",
        "http://c1/blobnode/x",
        "triad://c1/BLOBNODE/x",
        "triad://c1/blobnode/x/y",
        "triad://c1/blobnode/x y",
        "triad://c1/blobnode/x?y",
        "triad://c1/root/x",
        " triad://c1/blobnode/x",
        "triad://c1/blobnode/x\n",
        "triad://c1/blobnode/"
        "0123456789012345678901234567890123456789012345678901234567890123",
    };
    struct rpc_peer peer = {.role = 0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i], &peer) != STATUS_INVALID) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    assert_int_equal(peer.role, 0);
    struct bytes with_nul = bytes_of("triad://c1/blobnode/x\0y", 23);
    assert_status(rpc_identity_parse(with_nul, "c1", &peer), STATUS_INVALID);
}

static enum status_code
of_issued(struct test_pki *pki, const char *role, const char *ca, const char *cluster)
{
    assert_ok(test_pki_issue(pki, role, "n1", ca));
    struct rpc_tls_files files = test_pki_files(pki, role, "n1");
    BUFFER(pem, 1 << 16);
    assert_ok(file_read(AT_FDCWD, files.cert_file, &pem));
    struct rpc_peer peer;
    struct status status = rpc_identity_of_pem(buffer_bytes(&pem), cluster, &peer);
    if (status_ok(status)) {
        assert_string_equal(rpc_role_name(peer.role), role);
        assert_string_equal(peer.id, "n1");
    }
    return status.code;
}

static void the_issuer_must_fit_the_role(void **state)
{
    (void)state;
    OWNED(test_pki) struct test_pki *pki = NULL;
    assert_ok(test_pki_new("c1", &pki));
    assert_int_equal(of_issued(pki, "keystore", NULL, "c1"), STATUS_OK);
    assert_int_equal(of_issued(pki, "operator", NULL, "c1"), STATUS_OK);
    assert_int_equal(of_issued(pki, "operator", "services", "c1"), STATUS_DENIED);
    assert_int_equal(of_issued(pki, "keystore", "operators", "c1"), STATUS_DENIED);
    assert_int_equal(of_issued(pki, "keystore", "root", "c1"), STATUS_DENIED);
    assert_int_equal(of_issued(pki, "keystore", NULL, "c2"), STATUS_DENIED);
    assert_int_equal(of_issued(pki, "wizard", NULL, "c1"), STATUS_DENIED);
}

static void what_is_no_certificate_is_denied(void **state)
{
    (void)state;
    struct rpc_peer peer;
    assert_status(rpc_identity_of_pem(bytes_of(NULL, 0), "c1", &peer), STATUS_DENIED);
    assert_status(rpc_identity_of_pem(bytes_text("hello"), "c1", &peer), STATUS_DENIED);
    assert_status(
        rpc_identity_of_pem(
            bytes_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "c1",
            &peer),
        STATUS_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_has_a_name),
        cmocka_unit_test(a_good_uri_is_split),
        cmocka_unit_test(anything_else_is_invalid),
        cmocka_unit_test(the_issuer_must_fit_the_role),
        cmocka_unit_test(what_is_no_certificate_is_denied),
    };
    return cmocka_run_group_tests_name("rpc_identity", tests, NULL, NULL);
}
