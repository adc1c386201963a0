/* A secret is wiped before its memory is given back, on either heap, and never silently unlocked.
 */

#include "lib/crypto/secret.h"

#include "tests/support/vector.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/crypto.h>

enum { HEAP_SIZE = 64 * 1024, WATCH_MAX = 256 };

/* OpenSSL's allocator, replaced so that memory can be looked at when it is given back. */
struct piece {
    _Alignas(max_align_t) size_t size;
};

static bool is_watching;
static uint8_t seen[WATCH_MAX];
static size_t seen_size;

static void *watch_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    struct piece *piece = malloc(sizeof(*piece) + size);
    if (piece == NULL) {
        return NULL;
    }
    piece->size = size;
    return piece + 1;
}

static void watch_free(void *pointer, const char *file, int line)
{
    (void)file;
    (void)line;
    if (pointer == NULL) {
        return;
    }
    struct piece *piece = (struct piece *)pointer - 1;
    if (is_watching) {
        seen_size = piece->size < WATCH_MAX ? piece->size : WATCH_MAX;
        memcpy(seen, pointer, seen_size);
    }
    free(piece);
}

static void *watch_realloc(void *pointer, size_t size, const char *file, int line)
{
    void *next = watch_malloc(size, file, line);
    if (next != NULL && pointer != NULL) {
        size_t old = ((struct piece *)pointer - 1)->size;
        memcpy(next, pointer, old < size ? old : size);
        watch_free(pointer, file, line);
    }
    return next;
}

static void ordinary_heap_sees_no_key_after_free(void **state)
{
    (void)state;
    struct secret *secret = vector_key(1, SECRET_KEY_SIZE);
    is_watching = true;
    secret_free(secret);
    is_watching = false;
    assert_true(seen_size >= SECRET_KEY_SIZE);
    for (size_t i = 0; i < seen_size; i++) {
        assert_int_equal(seen[i], 0);
    }
}

static void new_secret_is_zero_and_copy_is_equal(void **state)
{
    (void)state;
    static const uint8_t zeros[40];
    OWNED(secret) struct secret *secret = NULL;
    OWNED(secret) struct secret *copy = NULL;
    assert_ok(secret_new(40, &secret));
    assert_true(secret_equal(secret_bytes(secret), BYTES_ARRAY(zeros)));
    secret_data(secret)[39] = 1;
    assert_false(secret_equal(secret_bytes(secret), BYTES_ARRAY(zeros)));
    assert_ok(secret_new_copy(secret_bytes(secret), &copy));
    assert_true(secret_equal(secret_bytes(secret), secret_bytes(copy)));
    assert_int_equal(secret_size(copy), 40);
    assert_false(secret_equal(secret_bytes(secret), bytes_of(zeros, 39)));
}

static void random_secrets_differ_and_sizes_are_bounded(void **state)
{
    (void)state;
    OWNED(secret) struct secret *a = NULL;
    OWNED(secret) struct secret *b = NULL;
    struct secret *none = NULL;
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &a));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &b));
    assert_false(secret_equal(secret_bytes(a), secret_bytes(b)));
    assert_status(secret_new(SECRET_SIZE_MAX + 1, &none), STATUS_TOO_LARGE);
    assert_null(none);
    secret_free(NULL);
}

static void process_leaves_no_core_and_heap_is_made_once(void **state)
{
    (void)state;
    struct rlimit core;
    assert_ok(secret_heap_init(HEAP_SIZE, false));
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_max, 0);
    assert_status(secret_heap_init(HEAP_SIZE, false), STATUS_CONFLICT);
}

static void secure_heap_sees_no_key_after_free(void **state)
{
    (void)state;
    struct secret *secret = vector_key(1, 64);
    assert_int_equal(CRYPTO_secure_allocated(secret), 1);
    const volatile uint8_t *bytes = secret_data(secret);
    secret_free(secret);
    /* The arena stays mapped; its free list writes two pointers at the block's beginning. */
    for (size_t i = 2 * sizeof(void *); i < 64; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

static void full_heap_refuses_and_recovers(void **state)
{
    (void)state;
    static struct secret *all[HEAP_SIZE / 1024 + 1];
    size_t count = 0;
    struct status status = OK;
    while (count < sizeof(all) / sizeof(all[0])) {
        status = secret_new(1000, &all[count]);
        if (!status_ok(status)) {
            break;
        }
        count++;
    }
    assert_int_equal(status.code, STATUS_NO_MEMORY);
    assert_true(count > 8);
    for (size_t i = 0; i < count; i++) {
        secret_free(all[i]);
    }
    OWNED(secret) struct secret *again = NULL;
    assert_ok(secret_new(1000, &again));
}

int main(void)
{
    if (CRYPTO_set_mem_functions(watch_malloc, watch_realloc, watch_free) != 1) {
        return EXIT_FAILURE;
    }
    /* The secure heap is made on the way: what comes after is about it. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_heap_sees_no_key_after_free),
        cmocka_unit_test(new_secret_is_zero_and_copy_is_equal),
        cmocka_unit_test(random_secrets_differ_and_sizes_are_bounded),
        cmocka_unit_test(process_leaves_no_core_and_heap_is_made_once),
        cmocka_unit_test(secure_heap_sees_no_key_after_free),
        cmocka_unit_test(full_heap_refuses_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
