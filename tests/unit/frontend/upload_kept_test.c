/* What is kept of an upload comes again byte for byte, in any pieces, and its buffers go back. */

#include "frontend/upload_kept.h"

#include "tests/support/cmocka.h"

enum { LARGE = 300000, SMALL = 70001 };

static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)(i * 31 + i / 253);
}

/* A buffer that holds length bytes of the pattern from start on, in block slots. */
static struct chunk_buffer *
filled(struct chunk_pool *pool, const struct chunk_shape *shape, uint32_t start)
{
    struct chunk_buffer *buffer = NULL;
    assert_ok(chunk_pool_take(pool, chunk_shape_sealed_size(shape), 0, &buffer));
    for (uint32_t i = 0; i < shape->plain_len; i++) {
        chunk_buffer_data(
            buffer)[chunk_shape_offset(shape, i / shape->block_len) + i % shape->block_len] =
            byte_at(start + i);
    }
    return buffer;
}

static void two_chunks_come_again_in_their_order(void **state)
{
    (void)state;
    struct chunk_pool_options options = {
        .small_size = 4096, .large_size = 1 << 20, .large_count = 2};
    OWNED(chunk_pool) struct chunk_pool *pool = NULL;
    assert_ok(chunk_pool_new(&options, &pool));
    static const uint32_t PIECES[] = {1, 999, 65536, 65537, 400000};
    for (size_t p = 0; p < sizeof(PIECES) / sizeof(PIECES[0]); p++) {
        struct upload_kept kept = {.count = 0};
        struct chunk_shape first = chunk_shape_choose(LARGE, 4);
        struct chunk_shape second = chunk_shape_choose(SMALL, 4);
        struct chunk_buffer *buffer = filled(pool, &second, LARGE);
        upload_kept_append(&kept, &buffer, &second);
        buffer = filled(pool, &first, 0);
        upload_kept_prepend(&kept, &buffer, &first);

        static uint8_t got[LARGE + SMALL + 1];
        uint32_t size = 0;
        for (uint32_t part = 1; part > 0; size += part) {
            uint32_t room = (uint32_t)sizeof(got) - size;
            part = upload_kept_read(&kept, got + size, PIECES[p] < room ? PIECES[p] : room);
        }
        assert_int_equal(size, LARGE + SMALL);
        for (uint32_t i = 0; i < size; i++) {
            assert_int_equal(got[i], byte_at(i));
        }
        assert_int_equal(chunk_pool_used(pool), 0);
    }
}

static void what_was_not_read_goes_back_too(void **state)
{
    (void)state;
    struct chunk_pool_options options = {
        .small_size = 4096, .large_size = 1 << 20, .large_count = 1};
    OWNED(chunk_pool) struct chunk_pool *pool = NULL;
    assert_ok(chunk_pool_new(&options, &pool));
    struct upload_kept kept = {.count = 0};
    struct chunk_shape shape = chunk_shape_choose(SMALL, 1);
    struct chunk_buffer *buffer = filled(pool, &shape, 0);
    upload_kept_append(&kept, &buffer, &shape);
    uint8_t some[10];
    assert_int_equal(upload_kept_read(&kept, some, sizeof(some)), sizeof(some));
    assert_int_equal(chunk_pool_used(pool), 1);
    upload_kept_done(&kept);
    assert_int_equal(chunk_pool_used(pool), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_chunks_come_again_in_their_order),
        cmocka_unit_test(what_was_not_read_goes_back_too),
    };
    return cmocka_run_group_tests_name("upload_kept", tests, NULL, NULL);
}
