#pragma once

/*
 * Fragments of one chunk gathered into a buffer, with whatever of the k+m it takes.
 *
 *   start      ask for the bytes that the range needs, of the data fragments alone
 *   wait       all came: done. One failed, or is slow: gather k whole fragments, check each by its
 *              tag, rebuild the rest
 *   distrust   a block did not verify although its bytes came: gather again without that fragment
 *
 * A fetch that was given up writes nothing: it looks under the mutex whether it is still wanted.
 */

#include "frontend/chunk_reader.h"
#include "lib/cluster/fragment_plan.h"

struct fragment_gather;

/* reference outlives the gather. */
MUST_CHECK struct status fragment_gather_start(
    const struct chunk_read_options *options, const struct chunk_reference *reference,
    struct chunk_buffer **take_buffer, struct fragment_gather **ret_gather);

/* Both end with UNAVAILABLE when deadline_ms is over, unless accounts that are up may still answer:
 * slow disks are waited for as long as one get may take. */
MUST_CHECK struct status fragment_gather_wait(struct fragment_gather *gather, int64_t deadline_ms);
MUST_CHECK struct status
fragment_gather_distrust(struct fragment_gather *gather, uint32_t block, int64_t deadline_ms);

enum fragment_verdict {
    FRAGMENT_GOOD, /* It came and fits its tag. */
    FRAGMENT_BAD,  /* Its node does not have it, or not those bytes. */
    FRAGMENT_AWAY, /* Nobody could say. */
};

/* The steward's work: fetch all k+m fragments, judge each, and rebuild in memory those that are
 * not good. UNAVAILABLE if fewer than k are. */
MUST_CHECK struct status fragment_gather_all(
    struct fragment_gather *gather, enum fragment_verdict ret_verdicts[ERASURE_FRAGMENTS_MAX]);

/* CORRUPT unless fragment index in memory, rebuilt or fetched, fits its tag. */
MUST_CHECK struct status
fragment_gather_check(const struct fragment_gather *gather, unsigned index);

const struct fragment_plan *fragment_gather_plan(const struct fragment_gather *gather);
uint8_t *fragment_gather_block(struct fragment_gather *gather, uint32_t block);
struct bytes fragment_gather_fragment(const struct fragment_gather *gather, unsigned index);
bool fragment_gather_is_damaged(const struct fragment_gather *gather);
void fragment_gather_free(struct fragment_gather *gather);

DEFINE_OWNED(fragment_gather)
