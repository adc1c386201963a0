#pragma once

/*
 * One chunk on its way out: sealed, encoded, tagged, and its k+m fragments put to their accounts.
 *
 * chunk_write_start() returns as soon as the puts are under way; the caller reads the next chunk
 * and then asks chunk_write_finish() for the outcome. A fragment that fails goes to another account
 * with the same bytes. OK means durable on at least k+1 accounts (k where m is 0); what is still
 * missing after a short extra time is entered as missing, for the steward. One thread.
 */

#include "frontend/chunk_pool.h"
#include "frontend/fragment_client.h"
#include "lib/crypto/chunk_cipher.h"
#include "lib/erasure/erasure.h"
#include "lib/format/manifest_page.h"
#include "lib/format/placement_row.h"

struct chunk_write;

struct chunk_write_options {
    struct fragment_client *fragments; /* Outlive the write. */
    const struct erasure *erasure;
    const struct secret *dek_kek;
    const struct secret *integrity_key;
    const struct chunk_context *context; /* Borrowed until start returns. */
    int64_t timeout_ms;                  /* Of one attempt. */
    int64_t grace_ms;                    /* Extra time for the last fragments. */
    int64_t deadline_ms;                 /* Until when start may wait for accounts. */
};

/* Bytes that the buffer of a chunk needs: sealed blocks and parity. */
size_t chunk_write_memory(const struct erasure *erasure, const struct chunk_shape *shape);

/* Takes the buffer, whose block slots hold the plaintext (chunk_shape_offset). */
MUST_CHECK struct status chunk_write_start(
    const struct chunk_write_options *options, struct chunk_buffer **take_buffer,
    struct chunk_write **ret_write);

struct chunk_written {
    struct manifest_row row; /* Its tags point into the write. */
    struct placement_entry entries[ERASURE_FRAGMENTS_MAX];
    unsigned missing;
};

/* Wait, as fragment_puts_wait does; UNAVAILABLE if too few accounts have it. */
MUST_CHECK struct status chunk_write_finish(
    struct chunk_write *write, int64_t deadline_ms, bool is_hasty,
    struct chunk_written *ret_written);

/* The plaintext of a chunk that could not be stored, to be sealed anew, into block slots as those
 * that it came in. Never in the write's own buffer: gRPC may still read that. */
MUST_CHECK struct status chunk_write_reopen(struct chunk_write *write, uint8_t *to);
const struct chunk_shape *chunk_write_shape(const struct chunk_write *write);

/* Also while fragments are still in flight: they are forgotten. NULL is allowed. */
void chunk_write_free(struct chunk_write *write);

DEFINE_OWNED(chunk_write)
