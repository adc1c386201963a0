#include "lib/cluster/fragment_plan.h"

#include "lib/base/check.h"

/* Widen the span of a block's fragment so that it holds the block. */
static void span_cover(
    struct fragment_span *span, const struct erasure *erasure, const struct chunk_shape *shape,
    uint32_t block)
{
    size_t offset = erasure_block_offset(erasure, shape, block);
    size_t end = offset + chunk_shape_block_size(shape, block) + CHUNK_TAG_SIZE;
    if (span->size == 0) {
        *span = (struct fragment_span){.offset = offset, .size = end - offset};
        return;
    }
    CHECK(offset >= span->offset); /* Blocks come in their order. */
    span->size = end - span->offset;
}

void fragment_plan_make(
    const struct erasure *erasure, const struct chunk_shape *shape, uint32_t from, uint32_t to,
    struct fragment_plan *ret_plan)
{
    CHECK(from < to && to <= shape->plain_len);

    unsigned k = erasure_k(erasure);
    unsigned fragments = k + erasure_m(erasure);
    struct fragment_plan plan = {
        .first_block = from / shape->block_len,
        .last_block = (to - 1) / shape->block_len,
    };
    for (uint32_t block = plan.first_block; block <= plan.last_block; block++) {
        span_cover(&plan.spans[block % k], erasure, shape, block);
    }
    for (unsigned i = 0; i < fragments; i++) {
        plan.sizes[i] = erasure_fragment_size(erasure, shape, i);
        plan.bases[i] = plan.memory;
        plan.memory += plan.sizes[i];
    }

    *ret_plan = plan;
}
