/* A range asks for exactly the bytes of the blocks that it touches, and for no fragment besides. */

#include "lib/cluster/fragment_plan.h"

#include "tests/support/cmocka.h"

enum { MIB = 1024 * 1024, SLOT = CHUNK_BLOCK_MAX + CHUNK_TAG_SIZE };

static void a_small_range_reads_one_block_of_one_fragment(void **state)
{
    (void)state;
    OWNED(erasure) struct erasure *erasure = NULL;
    struct chunk_shape shape = chunk_shape_choose(4 * MIB, 4);
    struct fragment_plan plan;
    assert_ok(erasure_new(4, 2, &erasure));
    /* Block 5 is the second block of fragment 1. */
    fragment_plan_make(erasure, &shape, 5 * CHUNK_BLOCK_MAX + 7, 5 * CHUNK_BLOCK_MAX + 9, &plan);
    assert_int_equal(plan.first_block, 5);
    assert_int_equal(plan.last_block, 5);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(plan.spans[i].size, i == 1 ? SLOT : 0);
    }
    assert_int_equal(plan.spans[1].offset, SLOT);
}

static void the_whole_chunk_reads_whole_data_fragments(void **state)
{
    (void)state;
    OWNED(erasure) struct erasure *erasure = NULL;
    struct chunk_shape shape = chunk_shape_choose(4 * MIB, 4);
    struct fragment_plan plan;
    size_t memory = 0;
    assert_ok(erasure_new(4, 2, &erasure));
    fragment_plan_make(erasure, &shape, 0, 4 * MIB, &plan);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(plan.sizes[i], 16 * SLOT);
        assert_int_equal(plan.bases[i], memory);
        memory += plan.sizes[i];
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(plan.spans[i].offset, 0);
        assert_int_equal(plan.spans[i].size, plan.sizes[i]);
    }
    assert_int_equal(plan.memory, memory);
}

/* Whatever the range, its blocks lie inside the spans, and the spans hold nothing but such rows. */
static void every_block_of_a_range_is_covered(void **state)
{
    (void)state;
    OWNED(erasure) struct erasure *erasure = NULL;
    struct chunk_shape shape = chunk_shape_choose(1000001, 4);
    assert_ok(erasure_new(4, 2, &erasure));
    for (uint32_t from = 0; from < shape.plain_len; from += 33331) {
        for (uint32_t to = from + 1; to <= shape.plain_len; to += 40009) {
            struct fragment_plan plan;
            fragment_plan_make(erasure, &shape, from, to, &plan);
            size_t wanted = 0;
            size_t asked = 0;
            for (uint32_t block = plan.first_block; block <= plan.last_block; block++) {
                const struct fragment_span *span = &plan.spans[block % 4];
                size_t offset = erasure_block_offset(erasure, &shape, block);
                size_t size = chunk_shape_block_size(&shape, block) + CHUNK_TAG_SIZE;
                assert_true(offset >= span->offset);
                assert_true(offset + size <= span->offset + span->size);
                wanted += size;
            }
            for (unsigned i = 0; i < 4; i++) {
                asked += plan.spans[i].size;
                assert_true(plan.spans[i].offset + plan.spans[i].size <= plan.sizes[i]);
            }
            assert_int_equal(asked, wanted);
        }
    }
}

static void copies_have_a_place_each(void **state)
{
    (void)state;
    OWNED(erasure) struct erasure *erasure = NULL;
    struct chunk_shape shape = chunk_shape_choose(5, 1);
    struct fragment_plan plan;
    assert_ok(erasure_new(1, 2, &erasure));
    fragment_plan_make(erasure, &shape, 0, 5, &plan);
    assert_int_equal(plan.spans[0].size, 5 + CHUNK_TAG_SIZE);
    assert_int_equal(plan.memory, 3 * (5 + CHUNK_TAG_SIZE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_range_reads_one_block_of_one_fragment),
        cmocka_unit_test(the_whole_chunk_reads_whole_data_fragments),
        cmocka_unit_test(every_block_of_a_range_is_covered),
        cmocka_unit_test(copies_have_a_place_each),
    };
    return cmocka_run_group_tests_name("fragment_plan", tests, NULL, NULL);
}
