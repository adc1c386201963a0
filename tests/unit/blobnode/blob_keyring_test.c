/* The ring believes only the pinned root, only forwards, and over restarts. */

#include "blobnode/blob_keyring.h"

#include "tests/unit/blobnode/blob_authority.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NOW_S = 1800000000, LIFE_MAX_S = 3600 };

static const struct id16 ACCOUNT = {{0xac, 1}};
static const struct id16 OTHER = {{0xac, 2}};
static const uint8_t CERT[32] = {0xce};

struct fixture {
    struct blob_authority authority;
    struct blob_keyring *ring;
    int dir_fd;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char dir[] = "blob_keyring_test_XXXXXX";
    if (f == NULL || mkdtemp(dir) == NULL) {
        return -1;
    }
    blob_authority_init(&f->authority, NOW_S);
    f->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_ok(blob_keyring_new(&f->authority.root, LIFE_MAX_S, &f->ring));
    assert_status(blob_keyring_add(f->ring, &ACCOUNT, f->dir_fd, NOW_S), STATUS_NOT_FOUND);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    blob_keyring_free(f->ring);
    blob_authority_done(&f->authority);
    close(f->dir_fd);
    free(f);
    return 0;
}

static struct status push(struct fixture *f, uint64_t version, uint64_t issued_s, uint64_t want)
{
    BUFFER(keyset, KEYSET_SIZE_MAX);
    blob_authority_keyset(&f->authority, &ACCOUNT, version, issued_s, &keyset);
    uint64_t in_force = 0;
    TRY(blob_keyring_push(f->ring, &ACCOUNT, buffer_bytes(&keyset), NOW_S, &in_force));
    assert_int_equal(in_force, want);
    return OK;
}

static struct status admit(
    struct fixture *f, const struct id16 *account, enum token_perm token_is, enum token_perm wanted,
    uint64_t now_s)
{
    uint8_t token[TOKEN_SIZE] = {0};
    blob_authority_token(&f->authority, account, token_is, CERT, NOW_S, 3600, token);
    uint64_t version = 0;
    return blob_keyring_admit(f->ring, &ACCOUNT, wanted, BYTES_ARRAY(token), CERT, now_s, &version);
}

/* Throw the ring away and load it again, as a restart does. */
static struct status restart(struct fixture *f)
{
    blob_keyring_free(TAKE(f->ring));
    assert_ok(blob_keyring_new(&f->authority.root, LIFE_MAX_S, &f->ring));
    return blob_keyring_add(f->ring, &ACCOUNT, f->dir_fd, NOW_S);
}

static void nothing_is_admitted_before_there_is_a_keyset(void **state)
{
    struct fixture *f = *state;
    assert_status(admit(f, &ACCOUNT, TOKEN_READ, TOKEN_READ, NOW_S), STATUS_UNAVAILABLE);
    assert_ok(push(f, 7, NOW_S, 7));
    assert_ok(admit(f, &ACCOUNT, TOKEN_READ, TOKEN_READ, NOW_S));
}

static void a_right_admits_itself_only(void **state)
{
    struct fixture *f = *state;
    static const enum token_perm PERMS[] = {
        TOKEN_READ, TOKEN_WRITE, TOKEN_DELETE, TOKEN_ENUMERATE, TOKEN_SCRUB};
    assert_ok(push(f, 7, NOW_S, 7));
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            assert_status(
                admit(f, &ACCOUNT, PERMS[i], PERMS[k], NOW_S), i == k ? STATUS_OK : STATUS_DENIED);
        }
    }
    assert_status(admit(f, &OTHER, TOKEN_READ, TOKEN_READ, NOW_S), STATUS_DENIED);
}

static void a_lower_version_is_ignored_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_ok(push(f, 7, NOW_S, 7));
    assert_ok(push(f, 6, NOW_S, 7));
    assert_ok(push(f, 7, NOW_S, 7));
    assert_ok(restart(f));
    assert_ok(push(f, 6, NOW_S, 7));
    assert_ok(push(f, 8, NOW_S, 8));
    assert_ok(restart(f));
    uint64_t version = 0;
    uint64_t valid_until = 0;
    blob_keyring_version(f->ring, &ACCOUNT, &version, &valid_until);
    assert_int_equal(version, 8);
    assert_int_equal(valid_until, NOW_S + KEYSET_VALID_S);
}

static void a_keyset_under_another_root_is_denied(void **state)
{
    struct fixture *f = *state;
    struct blob_authority forger;
    blob_authority_init(&forger, NOW_S);
    BUFFER(keyset, KEYSET_SIZE_MAX);
    blob_authority_keyset(&forger, &ACCOUNT, 99, NOW_S, &keyset);
    uint64_t version = 0;
    assert_ok(push(f, 7, NOW_S, 7));
    assert_status(
        blob_keyring_push(f->ring, &ACCOUNT, buffer_bytes(&keyset), NOW_S, &version),
        STATUS_DENIED);
    blob_authority_done(&forger);
    assert_ok(admit(f, &ACCOUNT, TOKEN_READ, TOKEN_READ, NOW_S));
}

static void another_accounts_keyset_is_denied(void **state)
{
    struct fixture *f = *state;
    BUFFER(keyset, KEYSET_SIZE_MAX);
    blob_authority_keyset(&f->authority, &OTHER, 9, NOW_S, &keyset);
    uint64_t version = 0;
    assert_status(
        blob_keyring_push(f->ring, &ACCOUNT, buffer_bytes(&keyset), NOW_S, &version),
        STATUS_DENIED);
    assert_status(
        blob_keyring_push(f->ring, &OTHER, buffer_bytes(&keyset), NOW_S, &version),
        STATUS_NOT_FOUND);
}

static void every_flipped_byte_of_a_keyset_is_refused(void **state)
{
    struct fixture *f = *state;
    BUFFER(keyset, KEYSET_SIZE_MAX);
    blob_authority_keyset(&f->authority, &ACCOUNT, 9, NOW_S, &keyset);
    for (size_t i = 0; i < keyset.size; i++) {
        uint64_t version = 0;
        keyset.data[i] ^= 0x10;
        assert_false(status_ok(
            blob_keyring_push(f->ring, &ACCOUNT, buffer_bytes(&keyset), NOW_S, &version)));
        keyset.data[i] ^= 0x10;
    }
}

static void past_valid_until_nothing_is_admitted_until_a_new_one_comes(void **state)
{
    struct fixture *f = *state;
    uint64_t end_s = NOW_S + KEYSET_VALID_S;
    assert_ok(push(f, 7, NOW_S, 7));
    assert_ok(admit(f, &ACCOUNT, TOKEN_WRITE, TOKEN_WRITE, end_s - 1));
    assert_status(admit(f, &ACCOUNT, TOKEN_WRITE, TOKEN_WRITE, end_s), STATUS_UNAVAILABLE);
    assert_ok(push(f, 8, NOW_S + 600, 8));
    assert_ok(admit(f, &ACCOUNT, TOKEN_WRITE, TOKEN_WRITE, end_s));
}

static void a_token_is_bound_to_certificate_and_time(void **state)
{
    struct fixture *f = *state;
    uint8_t token[TOKEN_SIZE] = {0};
    uint8_t other_cert[32] = {0xcf};
    uint64_t version = 0;
    struct bytes view = BYTES_ARRAY(token);
    assert_ok(push(f, 7, NOW_S, 7));
    blob_authority_token(&f->authority, &ACCOUNT, TOKEN_READ, CERT, NOW_S, 100, token);
    assert_ok(blob_keyring_admit(f->ring, &ACCOUNT, TOKEN_READ, view, CERT, NOW_S, &version));
    assert_int_equal(version, 7);
    assert_status(
        blob_keyring_admit(f->ring, &ACCOUNT, TOKEN_READ, view, other_cert, NOW_S, &version),
        STATUS_DENIED);
    assert_status(
        blob_keyring_admit(f->ring, &ACCOUNT, TOKEN_READ, view, CERT, NOW_S + 160, &version),
        STATUS_DENIED);
    blob_authority_token(&f->authority, &ACCOUNT, TOKEN_READ, CERT, NOW_S, LIFE_MAX_S + 1, token);
    assert_status(
        blob_keyring_admit(f->ring, &ACCOUNT, TOKEN_READ, view, CERT, NOW_S, &version),
        STATUS_DENIED);
    assert_status(
        blob_keyring_admit(f->ring, &OTHER, TOKEN_READ, view, CERT, NOW_S, &version),
        STATUS_NOT_FOUND);
}

static void a_damaged_keyset_file_admits_nobody_until_a_push(void **state)
{
    struct fixture *f = *state;
    assert_ok(push(f, 7, NOW_S, 7));
    OWNED(fd) int fd = openat(f->dir_fd, "keyset", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 30), 1);
    assert_false(status_ok(restart(f)));
    assert_status(admit(f, &ACCOUNT, TOKEN_READ, TOKEN_READ, NOW_S), STATUS_UNAVAILABLE);
    assert_ok(push(f, 8, NOW_S, 8));
    assert_ok(admit(f, &ACCOUNT, TOKEN_READ, TOKEN_READ, NOW_S));
}

static void a_root_file_is_der_or_pem_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    static const char PEM[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                              "-----END PUBLIC KEY-----\n";
    struct blob_keyring_root root;
    uint8_t longer[SIGNATURE_SPKI_MAX + 1] = {0};
    struct bytes der = bytes_of(f->authority.root.spki, f->authority.root.spki_size);
    assert_ok(blob_keyring_root_parse(der, &root));
    assert_memory_equal(root.spki, der.data, der.size);
    assert_ok(blob_keyring_root_parse(bytes_text(PEM), &root));
    assert_int_equal(root.alg, SIGNATURE_ED25519);
    assert_int_equal(root.spki_size, 44);
    memcpy(longer, der.data, der.size);
    assert_status(blob_keyring_root_parse(bytes_of(longer, der.size + 1), &root), STATUS_INVALID);
    assert_status(blob_keyring_root_parse(bytes_of(longer, der.size - 1), &root), STATUS_INVALID);
    assert_status(blob_keyring_root_parse(bytes_text("hello"), &root), STATUS_INVALID);
    assert_status(blob_keyring_root_parse(bytes_text(""), &root), STATUS_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_admitted_before_there_is_a_keyset),
        TEST(a_right_admits_itself_only),
        TEST(a_lower_version_is_ignored_also_after_a_restart),
        TEST(a_keyset_under_another_root_is_denied),
        TEST(another_accounts_keyset_is_denied),
        TEST(every_flipped_byte_of_a_keyset_is_refused),
        TEST(past_valid_until_nothing_is_admitted_until_a_new_one_comes),
        TEST(a_token_is_bound_to_certificate_and_time),
        TEST(a_damaged_keyset_file_admits_nobody_until_a_push),
        TEST(a_root_file_is_der_or_pem_and_nothing_else),
    };
    return cmocka_run_group_tests_name("blob_keyring", tests, NULL, NULL);
}
