#pragma once

/*
 * One chunk on its way in: the fragments that a range of it needs are fetched, each block is
 * opened where it lies, and no plaintext is given out before its block verified.
 *
 * In the ordinary case only the needed bytes of the needed data fragments are read. Where one
 * fails, lies or is slow, whole fragments (parity too) are fetched, checked by their tags, and the
 * missing ones rebuilt. One thread; fetches start at once, so that a chunk can be read ahead.
 */

#include "frontend/chunk_pool.h"
#include "frontend/fragment_client.h"
#include "lib/crypto/chunk_cipher.h"
#include "lib/erasure/erasure.h"
#include "lib/format/placement_row.h"

/* Everything that a reader needs to know of a chunk; from a manifest page and its placement. */
struct chunk_reference {
    struct chunk_context context;
    uint8_t commit[CHUNK_COMMIT_SIZE];
    uint8_t wrapped_dek[40];
    uint8_t tags[ERASURE_FRAGMENTS_MAX * FRAGMENT_TAG_SIZE];
    struct placement_entry entries[ERASURE_FRAGMENTS_MAX];
    unsigned k;
    unsigned m;
    uint16_t ik_ver;
    struct content content; /* The page that it stands on ... */
    uint32_t page;
    uint32_t row;  /* ... and where there. */
    uint32_t from; /* The plaintext wanted: [from, to) of this chunk. */
    uint32_t to;
};

struct chunk_read_options {
    struct fragment_client *fragments; /* Outlive the read. */
    const struct erasure *erasure;     /* Of the reference's k and m. */
    int64_t timeout_ms;                /* For a fragment. */
    int64_t hedge_ms;                  /* After which slow fragments are helped with parity. */
};

struct chunk_read;

/* Bytes of buffer that reading this chunk needs. */
size_t chunk_read_memory(const struct erasure *erasure, const struct chunk_reference *reference);

/* Start fetching. Takes the buffer; the reference is copied. */
MUST_CHECK struct status chunk_read_start(
    const struct chunk_read_options *options, const struct chunk_reference *reference,
    struct chunk_buffer **take_buffer, struct chunk_read **ret_read);

/* Give the key under which the chunk's own is wrapped: before the first chunk_read_next. CORRUPT
 * if it does not open it, or the commitment differs. */
MUST_CHECK struct status chunk_read_unlock(struct chunk_read *read, const struct secret *dek_kek);

/* The next plaintext of the range, verified; valid until the read is freed. Size 0 at the end.
 * deadline_ms: how long nodes that do not answer are waited for. */
MUST_CHECK struct status
chunk_read_next(struct chunk_read *read, int64_t deadline_ms, struct bytes *ret_plain);

/* True if a fragment was missing or damaged: to be repaired. */
bool chunk_read_is_damaged(const struct chunk_read *read);
const struct chunk_reference *chunk_read_reference(const struct chunk_read *read);

/* Also while fetches are in flight: they are forgotten. NULL is allowed. */
void chunk_read_free(struct chunk_read *read);

DEFINE_OWNED(chunk_read)
