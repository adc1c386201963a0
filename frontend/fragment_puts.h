#pragma once

/*
 * The puts of one chunk's k+m fragments, each to another account.
 *
 * Only accounts that are up are asked. A fragment that fails, or whose node falls silent, goes to
 * another account with the same bytes; the first answer that says stored counts, and an earlier
 * try that was stored after all is a stray fragment. What no account takes in time is missing: for
 * the steward. One thread, and the attempts' done functions on any.
 */

#include "frontend/chunk_pool.h"
#include "frontend/fragment_client.h"
#include "lib/erasure/erasure.h"
#include "lib/format/placement_row.h"

struct fragment_puts;

struct fragment_puts_options {
    struct fragment_client *fragments; /* Outlives us. */
    struct chunk_buffer *buffer;       /* Holds all pieces; referenced by each attempt. */
    struct chunk_id chunk;
    unsigned count;  /* k+m */
    unsigned quorum; /* How many have to be stored. */
    /* Where the bytes of a fragment lie; returns how many pieces, at most FRAGMENT_PIECES_MAX. */
    size_t (*pieces)(const void *context, unsigned index, struct bytes *pieces);
    const void *context; /* Outlives us. */
    int64_t timeout_ms;  /* Of one attempt. */
    int64_t grace_ms;    /* How long a quorum waits for the rest. */
};

enum { FRAGMENT_PIECES_MAX = 1024 };

/* Choose accounts; waits until deadline_ms for a quorum of them to be up. UNAVAILABLE. */
MUST_CHECK struct status fragment_puts_new(
    const struct fragment_puts_options *options, int64_t deadline_ms,
    struct fragment_puts **ret_puts);

/* Send all; returns at once. */
MUST_CHECK struct status fragment_puts_start(struct fragment_puts *puts);

/*
 * Wait for a quorum, and a little for the rest. UNAVAILABLE when deadline_ms is over and too few
 * accounts are up that may still answer; while enough of them are, as on slow disks, it goes on. A
 * hasty wait ends as soon as that is so: the caller has something better to do.
 */
MUST_CHECK struct status
fragment_puts_wait(struct fragment_puts *puts, int64_t deadline_ms, bool is_hasty);

/* Where the fragments are: count entries. Returns how many are missing. */
unsigned fragment_puts_entries(struct fragment_puts *puts, struct placement_entry *ret_entries);

/* Also while fragments are in flight: they are forgotten. NULL is allowed. */
void fragment_puts_free(struct fragment_puts *puts);

DEFINE_OWNED(fragment_puts)
