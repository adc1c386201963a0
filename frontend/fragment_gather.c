#include "frontend/fragment_gather.h"

#include "frontend/fragment_check.h"
#include "frontend/fragment_gather_state.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/crypto/random.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

/* How long to wait, in steps, for nodes that may be coming back: enough to connect again after a
 * restart, and well within the 5 s in which a request has to fail. */
enum { PATIENCE_MS = 2500, PATIENCE_STEP_MS = 100, LOOK_MS = 100 };

void fragment_gather_free(struct fragment_gather *gather)
{
    if (gather == NULL) {
        return;
    }
    pthread_mutex_lock(&gather->mutex);
    for (unsigned i = 0; i < gather->count; i++) {
        gather->slots[i].fetch = NULL;
    }
    pthread_mutex_unlock(&gather->mutex);
    chunk_buffer_unref(TAKE(gather->buffer));
    fragment_fetch_unref(gather);
}

/* ---------------------------------------------------------------- what to ask for */

static bool is_promising(const struct fragment_gather *gather, unsigned index)
{
    const struct placement_entry *entry = &gather->reference->entries[index];
    return entry->state != PLACEMENT_MISSING &&
           fragment_client_is_up(gather->options.fragments, entry->account);
}

/* The next fragment to ask for whole: promising ones first, then whatever was never asked. */
static int next_candidate(const struct fragment_gather *gather)
{
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < gather->count; i++) {
            const struct gather_slot *slot = &gather->slots[i];
            if (slot->state == SLOT_IDLE && !slot->is_bad && !slot->is_good &&
                (pass == 1 || is_promising(gather, i))) {
                return (int)i;
            }
        }
    }
    return -1;
}

/* ---------------------------------------------------------------- the needed bytes alone */

static struct status start_needed(struct fragment_gather *gather)
{
    unsigned k = gather->reference->k;
    for (unsigned j = 0; j < k; j++) {
        if (gather->plan.spans[j].size > 0 && !is_promising(gather, j)) {
            gather->wants_whole = true;
            return OK;
        }
    }
    for (unsigned j = 0; j < k; j++) {
        if (gather->plan.spans[j].size > 0) {
            TRY(fragment_fetch_start(gather, j, &gather->plan.spans[j]));
        }
    }
    return OK;
}

/* One copy is enough: begin with any that is up, so that all share the load. */
static struct status start_copy(struct fragment_gather *gather)
{
    uint8_t dice = 0;
    TRY(random_bytes(&dice, 1));
    for (unsigned i = 0; i < gather->count; i++) {
        unsigned index = (dice + i) % gather->count;
        if (is_promising(gather, index)) {
            gather->source = index;
            return fragment_fetch_start(gather, index, &gather->plan.spans[0]);
        }
    }
    gather->wants_whole = true;
    return OK;
}

struct status fragment_gather_start(
    const struct chunk_read_options *options, const struct chunk_reference *reference,
    struct chunk_buffer **take_buffer, struct fragment_gather **ret_gather)
{
    OWNED(fragment_gather) struct fragment_gather *gather = calloc(1, sizeof(*gather));
    if (gather == NULL) {
        return FAIL(NO_MEMORY, "fragment gather");
    }
    atomic_init(&gather->references, 1);
    pthread_mutex_init(&gather->mutex, NULL);
    task_condition_init(&gather->changed);
    gather->options = *options;
    gather->reference = reference;
    gather->count = reference->k + reference->m;
    gather->hedge_at_ms = clock_monotonic_ms() + options->hedge_ms;
    fragment_plan_make(
        options->erasure, &reference->context.shape, reference->from, reference->to, &gather->plan);
    CHECK(chunk_buffer_size(*take_buffer) >= gather->plan.memory);
    gather->buffer = TAKE(*take_buffer);
    TRY(reference->k == 1 ? start_copy(gather) : start_needed(gather));

    *ret_gather = TAKE(gather);
    return OK;
}

/* ---------------------------------------------------------------- whole fragments */

/* What the outcome of a fetch says of the fragment; only slots that no fetch will touch. */
static void slot_judge(struct fragment_gather *gather, unsigned index)
{
    struct gather_slot *slot = &gather->slots[index];
    const struct placement_entry *entry = &gather->reference->entries[index];
    struct status status = slot->status;
    if (slot->state == SLOT_CAME && !slot->is_whole) {
        slot->state = SLOT_IDLE; /* Too little now: ask for all of it. */
        return;
    }
    if (slot->state == SLOT_CAME) {
        status = fragment_check(
            gather->options.fragments, gather->reference, index,
            fragment_gather_fragment(gather, index));
        slot->is_good = status_ok(status);
    }
    slot->state = SLOT_IDLE;
    if (slot->is_good) {
        return;
    }
    slot->is_bad = true;
    bool is_gone = status.code == STATUS_NOT_FOUND || status.code == STATUS_CORRUPT ||
                   status.code == STATUS_RANGE;
    slot->is_gone = is_gone;
    gather->is_damaged = gather->is_damaged || (is_gone && entry->state != PLACEMENT_MISSING);
    if (slot->is_told) {
        return;
    }
    slot->is_told = true;
    log_event(
        LOG_WARN, "fragment not readable", LOG_INT("account", entry->account),
        LOG_INT("fragment", index),
        LOG_HEX("chunk", BYTES_ARRAY(gather->reference->context.chunk_id)), LOG_STATUS(status));
}

struct gather_tally {
    unsigned good;
    unsigned flying;
    unsigned live; /* Of them those whose accounts are up. */
};

static struct gather_tally gather_tally(struct fragment_gather *gather)
{
    struct gather_tally tally = {.good = 0};
    for (unsigned i = 0; i < gather->count; i++) {
        pthread_mutex_lock(&gather->mutex);
        enum slot_state state = gather->slots[i].state;
        pthread_mutex_unlock(&gather->mutex);
        if (state == SLOT_CAME || state == SLOT_FAILED) {
            slot_judge(gather, i);
        }
        tally.good += gather->slots[i].is_good ? 1 : 0;
        tally.flying += state == SLOT_FLYING ? 1 : 0;
        tally.live += state == SLOT_FLYING && is_promising(gather, i) ? 1 : 0;
    }
    return tally;
}

/* Wait until a fetch in flight ended; false if the time is over first. */
static bool wait_for_one(struct fragment_gather *gather, unsigned flying, int64_t until)
{
    LOCKED(&gather->mutex);
    for (;;) {
        unsigned still = 0;
        for (unsigned i = 0; i < gather->count; i++) {
            still += gather->slots[i].state == SLOT_FLYING ? 1 : 0;
        }
        if (still < flying) {
            return true;
        }
        if (!task_condition_wait(&gather->changed, &gather->mutex, until)) {
            return false;
        }
    }
}

/* Those that nobody could say anything about may be asked again. */
static void forgive_away(struct fragment_gather *gather)
{
    for (unsigned i = 0; i < gather->count; i++) {
        struct gather_slot *slot = &gather->slots[i];
        slot->is_bad = slot->is_bad && slot->is_gone;
    }
}

/* How many may still be read: good ones, and those of nodes that may come back. */
static unsigned count_hopeful(const struct fragment_gather *gather)
{
    unsigned hopeful = 0;
    for (unsigned i = 0; i < gather->count; i++) {
        hopeful += gather->slots[i].is_gone ? 0 : 1;
    }
    return hopeful;
}

/* Get wanted good whole fragments together, asking more accounts as others fail or are slow. */
static struct status
gather_whole(struct fragment_gather *gather, unsigned wanted, int64_t deadline_ms)
{
    int64_t patience_until = clock_monotonic_ms() + PATIENCE_MS;
    patience_until = patience_until < deadline_ms ? patience_until : deadline_ms;
    int64_t hedge_at = clock_monotonic_ms() + gather->options.hedge_ms;
    unsigned extra = 0;
    for (;;) {
        struct gather_tally tally = gather_tally(gather);
        if (tally.good >= wanted) {
            return OK;
        }
        int next = next_candidate(gather);
        if (next >= 0 && tally.good + tally.live < wanted + extra) {
            struct fragment_span all = {.size = gather->plan.sizes[next]};
            TRY(fragment_fetch_start(gather, (unsigned)next, &all));
            continue;
        }
        int64_t now_ms = clock_monotonic_ms();
        if (tally.flying == 0) {
            if (count_hopeful(gather) < wanted || now_ms >= patience_until) {
                return FAIL(UNAVAILABLE, "too few fragments of a chunk can be read");
            }
            clock_sleep_ms(PATIENCE_STEP_MS);
            forgive_away(gather);
            continue;
        }
        if (tally.good + tally.live < wanted && now_ms >= deadline_ms) {
            return FAIL(UNAVAILABLE, "too few storage accounts answer");
        }
        if (wait_for_one(gather, tally.flying, now_ms + LOOK_MS)) {
            hedge_at = clock_monotonic_ms() + gather->options.hedge_ms;
        } else if (now_ms >= hedge_at) {
            hedge_at = now_ms + gather->options.hedge_ms;
            extra++;
        }
    }
}

/* Fetches of a part are of no use any more. */
static void give_up_parts(struct fragment_gather *gather)
{
    LOCKED(&gather->mutex);
    for (unsigned i = 0; i < gather->count; i++) {
        struct gather_slot *slot = &gather->slots[i];
        if (slot->state == SLOT_FLYING && !slot->is_whole) {
            slot->fetch = NULL;
            slot->state = SLOT_IDLE;
        }
    }
}

/* From here on nothing more is written into the buffer. */
static void give_up_rest(struct fragment_gather *gather)
{
    LOCKED(&gather->mutex);
    for (unsigned i = 0; i < gather->count; i++) {
        gather->slots[i].fetch = NULL;
        gather->slots[i].state = SLOT_IDLE;
    }
}

static struct status rebuild(struct fragment_gather *gather)
{
    give_up_rest(gather);
    bool is_present[ERASURE_FRAGMENTS_MAX] = {false};
    uint8_t *fragments[ERASURE_FRAGMENTS_MAX] = {NULL};
    for (unsigned i = 0; i < gather->count; i++) {
        is_present[i] = gather->slots[i].is_good;
        fragments[i] = chunk_buffer_data(gather->buffer) + gather->plan.bases[i];
        if (is_present[i]) {
            gather->source = i;
        }
    }
    return erasure_rebuild(
        gather->options.erasure, &gather->reference->context.shape, fragments, is_present);
}

static struct status gather_and_rebuild(struct fragment_gather *gather, int64_t deadline_ms)
{
    give_up_parts(gather);
    TRY(gather_whole(gather, gather->reference->k, deadline_ms));
    return rebuild(gather);
}

/* True once all that was asked for came; false when one failed or is slow. */
static bool wait_for_needed(struct fragment_gather *gather)
{
    LOCKED(&gather->mutex);
    for (;;) {
        bool is_flying = false;
        for (unsigned i = 0; i < gather->count; i++) {
            if (gather->slots[i].state == SLOT_FAILED) {
                return false;
            }
            is_flying = is_flying || gather->slots[i].state == SLOT_FLYING;
        }
        if (!is_flying) {
            return true;
        }
        if (!task_condition_wait(&gather->changed, &gather->mutex, gather->hedge_at_ms)) {
            return false;
        }
    }
}

struct status fragment_gather_wait(struct fragment_gather *gather, int64_t deadline_ms)
{
    if (!gather->wants_whole && wait_for_needed(gather)) {
        return OK;
    }
    return gather_and_rebuild(gather, deadline_ms);
}

struct status
fragment_gather_distrust(struct fragment_gather *gather, uint32_t block, int64_t deadline_ms)
{
    unsigned liar = gather->reference->k == 1 ? gather->source : block % gather->reference->k;
    give_up_rest(gather);
    for (unsigned i = 0; i < gather->count; i++) {
        /* Blocks were opened in place, so what came is no fragment any more. */
        gather->slots[i] =
            (struct gather_slot){.is_bad = i == liar, .is_gone = i == liar, .status = OK};
    }
    gather->is_damaged = true;
    return gather_and_rebuild(gather, deadline_ms);
}

struct status fragment_gather_all(
    struct fragment_gather *gather, enum fragment_verdict ret_verdicts[ERASURE_FRAGMENTS_MAX])
{
    give_up_parts(gather);
    struct gather_tally tally = gather_tally(gather);
    for (int next = next_candidate(gather); next >= 0; next = next_candidate(gather)) {
        struct fragment_span all = {.size = gather->plan.sizes[next]};
        TRY(fragment_fetch_start(gather, (unsigned)next, &all));
    }
    for (tally = gather_tally(gather); tally.flying > 0; tally = gather_tally(gather)) {
        int64_t until = clock_monotonic_ms() + gather->options.hedge_ms;
        IGNORE(wait_for_one(gather, tally.flying, until)); /* Each fetch has its own deadline. */
    }
    for (unsigned i = 0; i < gather->count; i++) {
        const struct gather_slot *slot = &gather->slots[i];
        bool is_good = slot->is_good;
        ret_verdicts[i] = is_good ? FRAGMENT_GOOD : slot->is_gone ? FRAGMENT_BAD : FRAGMENT_AWAY;
    }
    if (tally.good < gather->reference->k) {
        return FAIL(UNAVAILABLE, "too few fragments of a chunk can be read");
    }
    return rebuild(gather);
}

struct status fragment_gather_check(const struct fragment_gather *gather, unsigned index)
{
    return fragment_check(
        gather->options.fragments, gather->reference, index,
        fragment_gather_fragment(gather, index));
}

const struct fragment_plan *fragment_gather_plan(const struct fragment_gather *gather)
{
    return &gather->plan;
}

uint8_t *fragment_gather_block(struct fragment_gather *gather, uint32_t block)
{
    unsigned k = gather->reference->k;
    unsigned index = k == 1 ? gather->source : block % k;
    return chunk_buffer_data(gather->buffer) + gather->plan.bases[index] +
           erasure_block_offset(gather->options.erasure, &gather->reference->context.shape, block);
}

struct bytes fragment_gather_fragment(const struct fragment_gather *gather, unsigned index)
{
    return bytes_of(
        chunk_buffer_data(gather->buffer) + gather->plan.bases[index], gather->plan.sizes[index]);
}

bool fragment_gather_is_damaged(const struct fragment_gather *gather)
{
    return gather->is_damaged;
}
