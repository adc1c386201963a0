#pragma once

/*
 * Which bytes of which fragments a range of a chunk needs, and where they go in memory.
 *
 * A chunk that is read lies in memory fragment after fragment: fragment i begins at bases[i]. So a
 * missing one is rebuilt in place, and a block is opened where its fragment has it: block b at
 * bases[b % k] + erasure_block_offset(b), and with k = 1 in whichever copy came. Pure functions.
 */

#include "lib/erasure/erasure.h"

struct fragment_span {
    size_t offset;
    size_t size; /* 0: nothing of this fragment is needed. */
};

struct fragment_plan {
    uint32_t first_block;
    uint32_t last_block;                               /* Inclusive. */
    struct fragment_span spans[ERASURE_FRAGMENTS_MAX]; /* Of the k data fragments. */
    size_t bases[ERASURE_FRAGMENTS_MAX];               /* Of all k+m. */
    size_t sizes[ERASURE_FRAGMENTS_MAX];               /* Of all k+m, whole. */
    size_t memory;                                     /* Bytes for all. */
};

/* Plan the plaintext range [from, to) of a chunk, from < to <= shape->plain_len. */
void fragment_plan_make(
    const struct erasure *erasure, const struct chunk_shape *shape, uint32_t from, uint32_t to,
    struct fragment_plan *ret_plan);
