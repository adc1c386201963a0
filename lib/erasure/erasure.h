#pragma once

/*
 * Fragments of a sealed chunk, FORMATS 4: Reed-Solomon k+m with ISA-L's Cauchy matrix.
 *
 * Sealed blocks go round-robin over the k data fragments; parity is computed row by row, a row
 * being k blocks padded with zeros to the longest. k = 1: m more identical copies.
 * An erasure is immutable and may be shared by threads.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"
#include "lib/crypto/chunk_cipher.h"

enum { ERASURE_FRAGMENTS_MAX = 24 };

struct erasure;

/* 1 <= k, 0 <= m, k + m <= 24; INVALID otherwise. */
MUST_CHECK struct status erasure_new(unsigned k, unsigned m, struct erasure **ret_erasure);
void erasure_free(struct erasure *erasure);

unsigned erasure_k(const struct erasure *erasure);
unsigned erasure_m(const struct erasure *erasure);

/* Size of fragment index (0..k+m-1) of a chunk of that shape; may be 0. */
size_t erasure_fragment_size(
    const struct erasure *erasure, const struct chunk_shape *shape, unsigned index);

/* Bytes of sealed block b that lie in data fragment b % k, and its offset there. */
size_t erasure_block_offset(
    const struct erasure *erasure, const struct chunk_shape *shape, uint32_t block);

/* Compute the m parity fragments of a sealed chunk; parity[i] has room for fragment k + i. */
void erasure_encode(
    const struct erasure *erasure, const struct chunk_shape *shape, const uint8_t *sealed,
    uint8_t *const *parity);

/*
 * Rebuild the missing fragments. fragments[i] points to fragment i whole; where is_present[i] is
 * false it has room and gets the bytes. INVALID if fewer than k are present.
 */
MUST_CHECK struct status erasure_rebuild(
    const struct erasure *erasure, const struct chunk_shape *shape, uint8_t *const *fragments,
    const bool *is_present);

/* Move between the sealed chunk and its data fragment index. */
void erasure_gather(
    const struct erasure *erasure, const struct chunk_shape *shape, const uint8_t *sealed,
    unsigned index, uint8_t *fragment);
void erasure_scatter(
    const struct erasure *erasure, const struct chunk_shape *shape, const uint8_t *fragment,
    unsigned index, uint8_t *sealed);

DEFINE_OWNED(erasure)
