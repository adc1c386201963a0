/* body_digest: the digests of the stream, whoever computes them, and no range after free. */

#include "frontend/body_digest.h"

#include "lib/crypto/digest.h"
#include "tests/support/cmocka.h"

#include <stdlib.h>

enum { SIZE = 1 << 20 };

static void check(struct body_digest_pool *pool, unsigned kinds, size_t step)
{
    OWNED(body_digest) struct body_digest *digest = NULL;
    struct body_digest_values values;
    uint8_t *data = malloc(SIZE);
    assert_non_null(data);
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_ok(body_digest_new(pool, kinds, &digest));
    for (size_t at = 0; at < SIZE; at += step) {
        size_t size = SIZE - at < step ? SIZE - at : step;
        assert_ok(body_digest_add(digest, bytes_of(data + at, size)));
        if (at / step % 50 == 49) {
            assert_ok(body_digest_wait(digest, at));
        }
    }
    assert_ok(body_digest_wait(digest, SIZE));
    assert_ok(body_digest_end(digest, &values));
    assert_int_equal(values.kinds, kinds);
    struct bytes all = bytes_of(data, SIZE);
    uint8_t sha256[32];
    uint8_t md5[16];
    OWNED(digest) struct digest *plain = NULL;
    assert_ok(digest_sha256(&all, 1, sha256));
    assert_ok(digest_new(DIGEST_MD5, &plain));
    assert_ok(digest_add(plain, all));
    assert_ok(digest_end(plain, md5));
    if ((kinds & BODY_DIGEST_SHA256) != 0) {
        assert_memory_equal(values.sha256, sha256, 32);
    }
    if ((kinds & BODY_DIGEST_MD5) != 0) {
        assert_memory_equal(values.md5, md5, 16);
    }
    free(data);
}

static void helpers_and_caller_agree(void **state)
{
    OWNED(body_digest_pool) struct body_digest_pool *pool = NULL;
    (void)state;
    assert_ok(body_digest_pool_start(2, &pool));
    for (unsigned kinds = 0; kinds <= 3; kinds++) {
        check(NULL, kinds, 65536);
        check(pool, kinds, 65536);
        check(pool, kinds, 1000);
    }
}

static void nothing_has_a_digest_too(void **state)
{
    OWNED(body_digest) struct body_digest *digest = NULL;
    struct body_digest_values values;
    (void)state;
    assert_ok(body_digest_new(NULL, BODY_DIGEST_MD5, &digest));
    assert_ok(body_digest_end(digest, &values));
    assert_int_equal(values.md5[0], 0xd4);
}

static void many_streams_share_few_helpers(void **state)
{
    enum { STREAMS = 16 };
    static uint8_t data[SIZE];
    OWNED(body_digest_pool) struct body_digest_pool *pool = NULL;
    struct body_digest *digests[STREAMS];
    struct body_digest_values first;
    (void)state;
    assert_ok(body_digest_pool_start(3, &pool));
    for (size_t i = 0; i < STREAMS; i++) {
        assert_ok(body_digest_new(pool, BODY_DIGEST_MD5, &digests[i]));
    }
    for (size_t at = 0; at < SIZE; at += 65536) {
        for (size_t i = 0; i < STREAMS; i++) {
            assert_ok(body_digest_add(digests[i], bytes_of(data + at, 65536)));
        }
    }
    assert_ok(body_digest_end(digests[0], &first));
    for (size_t i = 1; i < STREAMS; i++) {
        struct body_digest_values values;
        assert_ok(body_digest_end(digests[i], &values));
        assert_memory_equal(values.md5, first.md5, 16);
    }
    for (size_t i = 0; i < STREAMS; i++) {
        body_digest_free(digests[i]);
    }
}

static void ranges_may_go_once_it_is_freed(void **state)
{
    OWNED(body_digest_pool) struct body_digest_pool *pool = NULL;
    (void)state;
    assert_ok(body_digest_pool_start(1, &pool));
    for (unsigned round = 0; round < 50; round++) {
        struct body_digest *first = NULL;
        struct body_digest *second = NULL;
        uint8_t *data = calloc(1, SIZE);
        assert_non_null(data);
        assert_ok(body_digest_new(pool, BODY_DIGEST_SHA256, &first));
        assert_ok(body_digest_new(pool, BODY_DIGEST_SHA256, &second));
        for (size_t at = 0; at < SIZE; at += 65536) {
            assert_ok(body_digest_add(first, bytes_of(data + at, 65536)));
            assert_ok(body_digest_add(second, bytes_of(data + at, 65536)));
        }
        body_digest_free(second);
        body_digest_free(first);
        free(data); /* ASan tells if a helper still looks. */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(helpers_and_caller_agree),
        cmocka_unit_test(nothing_has_a_digest_too),
        cmocka_unit_test(many_streams_share_few_helpers),
        cmocka_unit_test(ranges_may_go_once_it_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
