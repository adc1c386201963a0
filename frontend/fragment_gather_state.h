#pragma once

/* Inside of a fragment_gather: its slots, one a fragment, under its mutex while a get is in flight.
 */

#include "frontend/fragment_gather.h"

#include <pthread.h>
#include <stdatomic.h>

enum slot_state { SLOT_IDLE, SLOT_FLYING, SLOT_CAME, SLOT_FAILED };

/* One get; lives until its done function ran. */
struct fetch {
    struct fragment_gather *gather;
    unsigned index;
    struct fragment_span span;
};

struct gather_slot {
    const struct fetch *fetch; /* The one that is wanted. */
    enum slot_state state;
    bool is_whole; /* What came, or is to come, is all of it. */
    bool is_good;  /* Whole, and it fits its tag. */
    bool is_bad;   /* Never ask again. */
    bool is_gone;  /* Bad because it is not there, or not what it was. */
    bool is_told;  /* Its trouble stands in the log. */
    struct status status;
};

struct fragment_gather {
    atomic_uint references; /* The owner, and each fetch in flight. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct chunk_read_options options;
    const struct chunk_reference *reference;
    struct chunk_buffer *buffer; /* The owner's reference; touched only by fetches still wanted. */
    struct fragment_plan plan;
    struct gather_slot slots[ERASURE_FRAGMENTS_MAX];
    unsigned count;
    int64_t hedge_at_ms; /* When those asked for first are slow. */
    unsigned source;     /* k = 1: the copy that is read. */
    bool wants_whole;    /* Begun with whole fragments: one of the needed is known to be away. */
    bool is_damaged;
};

/* Ask for a span of fragment index. Not under the mutex: a get that cannot start is done at once.
 */
MUST_CHECK struct status fragment_fetch_start(
    struct fragment_gather *gather, unsigned index, const struct fragment_span *span);

/* Of the owner's reference, or of a fetch that is over. */
void fragment_fetch_unref(struct fragment_gather *gather);
