#pragma once

/*
 * All fragments of one chunk, as far as they can be had: read from their accounts and judged by
 * their tags. One thread.
 */

#include "frontend/fragment_client.h"
#include "lib/erasure/erasure.h"
#include "lib/format/manifest_page.h"
#include "lib/format/placement_row.h"

/* What became of a fragment. */
enum repair_verdict {
    REPAIR_GOOD,    /* Here, and its tag fits. */
    REPAIR_BAD,     /* The node answered: not there, damaged, or other bytes. */
    REPAIR_UNKNOWN, /* The node did not answer: nothing may be concluded. */
};

/* A chunk to mend. Views borrow from the task. */
struct repair_chunk {
    struct manifest_row row;
    uint16_t ik_ver;
    unsigned k;
    unsigned m;
    struct placement_entry entries[ERASURE_FRAGMENTS_MAX];
};

struct repair_fragments {
    uint8_t *data[ERASURE_FRAGMENTS_MAX]; /* Owned, whole fragments; room also for the bad ones. */
    size_t sizes[ERASURE_FRAGMENTS_MAX];
    enum repair_verdict verdicts[ERASURE_FRAGMENTS_MAX];
};

/* Read and judge every fragment that the placement calls stored or moving. */
MUST_CHECK struct status repair_read(
    struct fragment_client *client, struct aead *tagger, const struct erasure *erasure,
    const struct repair_chunk *chunk, int64_t deadline_ms, struct repair_fragments *ret_fragments);
void repair_read_done(struct repair_fragments *fragments);
