/* A configuration tells by its keys whose it is, also when a key is wrong or missing. */

#include "cli/doctor_role.h"

#include "tests/support/cmocka.h"

#define COMMON "cluster = c\nnode_id = n\nca_file = a\ncert_file = b\nkey_file = d\n"
#define KEYSTORE_PEER "keystore_address = k:1\nkeystore_tls_name = k\n"
#define CONTENTDB_PEER "contentdb_address = c:1\ncontentdb_tls_name = c\n"
#define STORE "listen = :1\ndata_dir = /d\n"

static const char *guess(const char *text, const char *path)
{
    const struct doctor_role *role = doctor_role_guess(bytes_text(text), path);
    return role != NULL ? role->name : "none";
}

static void each_daemon_is_known_by_its_keys(void **state)
{
    (void)state;
    const char *path = "/etc/triad/x";
    assert_string_equal(guess(COMMON STORE "seal_key_file = s\n", path), "keystore");
    assert_string_equal(guess(COMMON STORE "keyset_root_file = s\n", path), "blobnode");
    assert_string_equal(guess(COMMON STORE KEYSTORE_PEER, path), "contentdb");
    assert_string_equal(guess(COMMON KEYSTORE_PEER CONTENTDB_PEER, path), "steward");
    assert_string_equal(
        guess(
            COMMON KEYSTORE_PEER CONTENTDB_PEER "listen = :1\ns3_cert_file = s\ns3_key_file = t\n",
            path),
        "frontend");
}

static void a_wrong_key_does_not_hide_it(void **state)
{
    (void)state;
    assert_string_equal(
        guess(COMMON STORE "seal_key_file = s\nworkerz = 3\n# keyset_root_file = x\n", "/x"),
        "keystore");
    assert_string_equal(
        guess(COMMON STORE "  keyset_root_file=s\nsegment_size = 1GiB", "/x"), "blobnode");
}

static void the_files_name_decides_between_equals(void **state)
{
    (void)state;
    assert_string_equal(guess(COMMON STORE, "/etc/keystore.conf"), "keystore");
    assert_string_equal(guess(COMMON STORE, "blobnode-7.conf"), "blobnode");
    assert_string_equal(guess(COMMON STORE, "/keystore/x.conf"), "none");
    assert_string_equal(guess(COMMON STORE, "/etc/frontend.conf"), "none");
}

static void every_role_has_its_table(void **state)
{
    (void)state;
    static const char *const names[] = {"keystore", "contentdb", "blobnode",
                                        "steward",  "frontend",  "operator"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct doctor_role *role = doctor_role_named(names[i]);
        assert_non_null(role);
        assert_string_equal(rpc_role_name(role->role), names[i]);
        assert_true(role->options_count > 0);
    }
    assert_null(doctor_role_named("key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_daemon_is_known_by_its_keys),
        cmocka_unit_test(a_wrong_key_does_not_hide_it),
        cmocka_unit_test(the_files_name_decides_between_equals),
        cmocka_unit_test(every_role_has_its_table),
    };
    return cmocka_run_group_tests_name("doctor_role", tests, NULL, NULL);
}
