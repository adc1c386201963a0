/* A vault opens with its key file and no other, rises in fence at each open, and keeps its rows; a
 * damaged seal opens nothing; the cache of derived keys is bounded. */

#include "keystore/vault.h"

#include "keystore/secret_cache.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/crypto/kdf.h"
#include "lib/crypto/key_wrap.h"
#include "tests/support/cmocka.h"
#include "tests/support/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static char dir[128];
static struct secret *slot_key;

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "%s", "/tmp/vault_test_XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    snprintf(dir, sizeof(dir), "%s/v", root);
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &slot_key));
    assert_ok(vault_create(dir, slot_key));
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    secret_free(slot_key);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static struct vault *open_vault(void)
{
    struct vault *vault = NULL;
    struct vault_options options = {.dir = dir, .slot_key = slot_key};

    assert_ok(vault_open(&options, &vault));
    return vault;
}

static void rows_are_there_after_a_restart(void **state)
{
    BUFFER(value, 64);
    uint32_t count = 0;

    (void)state;
    struct vault *vault = open_vault();
    assert_ok(vault_put(vault, bytes_text("a1"), bytes_text("one")));
    assert_ok(vault_put(vault, bytes_text("a2"), bytes_text("two")));
    assert_ok(vault_put(vault, bytes_text("b"), bytes_text("three")));
    vault_free(vault);
    for (int i = 0; i < 3; i++) {
        vault = open_vault();
        buffer_reset(&value);
        assert_ok(vault_get(vault, bytes_text("a2"), &value));
        assert_true(bytes_equal(buffer_bytes(&value), bytes_text("two")));
        assert_ok(vault_count(vault, bytes_text("a"), &count));
        assert_int_equal(count, 2);
        assert_status(vault_get(vault, bytes_text("c"), &value), STATUS_NOT_FOUND);
        vault_free(vault);
    }
}

static void only_one_process_has_it(void **state)
{
    struct vault *vault = open_vault();
    struct vault *second = NULL;
    struct vault_options options = {.dir = dir, .slot_key = slot_key};

    (void)state;
    assert_status(vault_open(&options, &second), STATUS_BUSY);
    vault_free(vault);
}

static void another_key_opens_nothing(void **state)
{
    struct vault *vault = NULL;
    struct secret *other = NULL;
    struct vault_options options = {.dir = dir};

    (void)state;
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &other));
    options.slot_key = other;
    assert_status(vault_open(&options, &vault), STATUS_DENIED);
    assert_status(vault_create(dir, slot_key), STATUS_EXISTS);
    secret_free(other);
}

static void every_flipped_byte_of_a_seal_is_refused(void **state)
{
    OWNED(fd) int dir_fd = -1;
    BUFFER(seal, SEAL_FILE_MAX);
    struct seal *opened = NULL;

    (void)state;
    assert_ok(file_open_dir(dir, false, &dir_fd));
    assert_ok(file_read(dir_fd, "seal", &seal));
    assert_int_equal(seal.size, 113);
    for (size_t i = 0; i < seal.size; i++) {
        seal.data[i] ^= 0x10;
        assert_ok(file_replace(dir_fd, "seal", buffer_bytes(&seal), 0600));
        assert_false(status_ok(seal_open(dir_fd, slot_key, &opened)));
        seal.data[i] ^= 0x10;
    }
    for (size_t size = 0; size < seal.size; size++) {
        assert_ok(file_replace(dir_fd, "seal", bytes_of(seal.data, size), 0600));
        assert_false(status_ok(seal_open(dir_fd, slot_key, &opened)));
    }
    assert_ok(file_replace(dir_fd, "seal", buffer_bytes(&seal), 0600));
    assert_ok(seal_open(dir_fd, slot_key, &opened));
    seal_free(opened);
}

/* Read as FORMATS says, without the code under test. */
static void a_seal_reads_as_written_down(void **state)
{
    OWNED(fd) int dir_fd = -1;
    BUFFER(seal, SEAL_FILE_MAX);
    OWNED(seal) struct seal *opened = NULL;
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *own = NULL;

    (void)state;
    assert_ok(file_open_dir(dir, false, &dir_fd));
    assert_ok(file_read(dir_fd, "seal", &seal));
    assert_memory_equal(seal.data, "TSL1\0\1", 6);
    assert_memory_equal(seal.data + 22, "\0\1\1\0\0", 5);
    assert_memory_equal(seal.data + 67, "\0\1\0\0\0\1", 6);
    assert_ok(kdf_derive1(slot_key, "triad/v1/seal", bytes_of(seal.data + 6, 16), &kek));
    assert_ok(key_unwrap(kek, bytes_of(seal.data + 27, 40), &own));
    assert_ok(seal_open(dir_fd, slot_key, &opened));
    assert_true(secret_equal(secret_bytes(own), secret_bytes(seal_root(opened))));
}

static void a_key_file_is_made_once_and_private(void **state)
{
    char path[128];
    struct secret *first = NULL;
    struct secret *second = NULL;
    struct stat info;

    (void)state;
    snprintf(path, sizeof(path), "%s/key", root);
    assert_status(seal_read_key_file(path, false, &first), STATUS_NOT_FOUND);
    assert_ok(seal_read_key_file(path, true, &first));
    assert_ok(seal_read_key_file(path, true, &second));
    assert_true(secret_equal(secret_bytes(first), secret_bytes(second)));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(truncate(path, 31), 0);
    secret_free(first);
    secret_free(second);
    assert_status(seal_read_key_file(path, false, &first), STATUS_INVALID);
}

static void a_key_file_that_was_cut_off_is_made_anew(void **state)
{
    char path[128];
    OWNED(secret) struct secret *key = NULL;

    (void)state;
    snprintf(path, sizeof(path), "%s/key", root);
    fault_pwrite(0, EIO);
    assert_status(seal_read_key_file(path, true, &key), STATUS_IO);
    assert_int_equal(access(path, F_OK), -1);
    assert_ok(seal_read_key_file(path, true, &key));
}

static void the_cache_forgets_what_was_used_longest_ago(void **state)
{
    OWNED(secret_cache) struct secret_cache *cache = NULL;
    struct secret *got = NULL;
    const struct bytes names[] = {bytes_text("a"), bytes_text("b"), bytes_text("c")};

    (void)state;
    assert_ok(secret_cache_new(2, &cache));
    secret_cache_put(cache, &names[0], 1, slot_key);
    secret_cache_put(cache, &names[1], 1, slot_key);
    assert_ok(secret_cache_get(cache, &names[0], 1, &got));
    assert_true(secret_equal(secret_bytes(got), secret_bytes(slot_key)));
    secret_free(got);
    secret_cache_put(cache, &names[2], 1, slot_key);
    assert_int_equal(secret_cache_count(cache), 2);
    assert_status(secret_cache_get(cache, &names[1], 1, &got), STATUS_NOT_FOUND);
    assert_ok(secret_cache_get(cache, &names[0], 1, &got));
    secret_free(got);
    secret_cache_clear(cache);
    assert_int_equal(secret_cache_count(cache), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_there_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(only_one_process_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(another_key_opens_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_byte_of_a_seal_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_seal_reads_as_written_down, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_file_is_made_once_and_private, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_file_that_was_cut_off_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_cache_forgets_what_was_used_longest_ago, setup, teardown),
    };
    return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
