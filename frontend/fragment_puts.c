#include "frontend/fragment_puts.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/mutant.h"
#include "lib/base/task.h"
#include "lib/crypto/random.h"
#include "lib/telemetry/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    ATTEMPTS_MAX = 3,
    AGAIN_MS = 250,
    PATIENCE_MS = 2500, /* Enough for a node that restarts. */
    PATIENCE_STEP_MS = 50,
    LOOK_MS = 100,  /* How often to look who is still up. */
    STUCK_MS = 300, /* A connection may just be coming up. */
};

enum put_state {
    PUT_WAITING, /* Not sent, or failed: its turn comes when somebody is up. */
    PUT_FLYING,
    PUT_STORED,
    PUT_GIVEN_UP,
};

/* One attempt to put one fragment; lives until its done function ran. */
struct put_attempt {
    struct fragment_puts *puts;
    unsigned index;
    uint32_t account;
};

struct put_slot {
    enum put_state state;
    uint32_t account;    /* Of the last attempt, or of the one that was stored. */
    unsigned attempts;   /* Begun ... */
    unsigned flying;     /* ... and still in flight: two while another account is tried. */
    int64_t again_at_ms; /* While waiting: not before. */
    struct status status;
    bool is_told; /* Its trouble stands in the log. */
};

struct fragment_puts {
    atomic_uint references; /* The owner and each attempt in flight. */
    pthread_mutex_t mutex;  /* Guards the slots. */
    pthread_cond_t changed;
    struct fragment_puts_options options;
    struct put_slot slots[ERASURE_FRAGMENTS_MAX];
    uint32_t tried[PLACEMENT_USED_MAX]; /* Accounts of all slots, also of earlier attempts. */
    unsigned tried_count;
};

static void puts_unref(struct fragment_puts *puts)
{
    if (atomic_fetch_sub(&puts->references, 1) > 1) {
        return;
    }
    pthread_cond_destroy(&puts->changed);
    pthread_mutex_destroy(&puts->mutex);
    free(puts);
}

void fragment_puts_free(struct fragment_puts *puts)
{
    if (puts != NULL) {
        puts_unref(puts);
    }
}

/* ---------------------------------------------------------------- accounts */

/* One draw: those that are up stand first, so that data fragments go there. */
static struct status accounts_draw(struct fragment_puts *puts, unsigned *ret_up)
{
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    uint8_t random[4 * ERASURE_FRAGMENTS_MAX + 4];
    size_t count = fragment_client_candidates(
        puts->options.fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
    TRY(random_bytes(random, sizeof(random)));
    return placement_choose(candidates, count, puts->options.count, random, puts->tried, ret_up);
}

/* A node that restarts, or a connection that comes up, is back within seconds: better a short wait
 * than an error in the middle of an upload. */
static struct status accounts_choose(struct fragment_puts *puts, int64_t deadline_ms)
{
    int64_t patient_until = clock_monotonic_ms() + PATIENCE_MS;
    int64_t end_ms = patient_until < deadline_ms ? patient_until : deadline_ms;
    unsigned up = 0;
    TRY(accounts_draw(puts, &up));
    while (up < puts->options.quorum) {
        if (clock_monotonic_ms() >= end_ms) {
            return FAIL(UNAVAILABLE, "too few storage accounts are up");
        }
        clock_sleep_ms(PATIENCE_STEP_MS);
        TRY(accounts_draw(puts, &up));
    }
    puts->tried_count = puts->options.count;
    for (unsigned i = 0; i < puts->options.count; i++) {
        puts->slots[i] = (struct put_slot){
            .state = i < up ? PUT_FLYING : PUT_WAITING, .account = puts->tried[i], .status = OK};
    }
    return OK;
}

struct status fragment_puts_new(
    const struct fragment_puts_options *options, int64_t deadline_ms,
    struct fragment_puts **ret_puts)
{
    CHECK(options->count <= ERASURE_FRAGMENTS_MAX && options->quorum <= options->count);
    OWNED(fragment_puts) struct fragment_puts *puts = calloc(1, sizeof(*puts));
    if (puts == NULL) {
        return FAIL(NO_MEMORY, "puts of a chunk");
    }
    atomic_init(&puts->references, 1);
    pthread_mutex_init(&puts->mutex, NULL);
    task_condition_init(&puts->changed);
    puts->options = *options;
    TRY(accounts_choose(puts, deadline_ms));

    *ret_puts = TAKE(puts);
    return OK;
}

/* ---------------------------------------------------------------- attempts */

static void slice_release(void *arg)
{
    chunk_buffer_unref(arg);
}

static void attempt_settle(const struct put_attempt *attempt, struct status status)
{
    struct fragment_puts *puts = attempt->puts;
    LOCKED(&puts->mutex);
    struct put_slot *slot = &puts->slots[attempt->index];
    slot->flying--;
    if (slot->state == PUT_STORED) {
        return; /* By another attempt. */
    }
    if (status_ok(status)) {
        slot->state = PUT_STORED;
        slot->account = attempt->account;
        return;
    }
    slot->status = status;
    slot->is_told = false;
    if (slot->flying == 0) {
        slot->state = PUT_WAITING;
        slot->again_at_ms = clock_monotonic_ms() + AGAIN_MS * (int64_t)slot->attempts;
    }
}

static void attempt_done(void *arg, struct status status, enum blob_outcome outcome)
{
    (void)outcome; /* The status says as much as we need. */
    struct put_attempt *attempt = arg;
    struct fragment_puts *puts = attempt->puts;
    attempt_settle(attempt, status);
    /* Not under the mutex, or the owner wakes only to sleep on it; our reference keeps it here. */
    pthread_cond_signal(&puts->changed);
    free(attempt);
    puts_unref(puts);
}

static struct rpc_slice *slices_of(struct fragment_puts *puts, unsigned index, size_t *ret_count)
{
    static _Thread_local struct bytes pieces[FRAGMENT_PIECES_MAX];
    size_t count = puts->options.pieces(puts->options.context, index, pieces);
    struct rpc_slice *slices = calloc(count + 1, sizeof(*slices));
    *ret_count = 0;
    for (size_t i = 0; slices != NULL && i < count; i++) {
        if (pieces[i].size > 0) {
            slices[(*ret_count)++] = (struct rpc_slice){
                .bytes = pieces[i],
                .release = slice_release,
                .arg = chunk_buffer_ref(puts->options.buffer)};
        }
    }
    return slices;
}

/* Send fragment index to account; not under the mutex, because a failure to start calls
 * attempt_done at once. */
static struct status attempt_start(struct fragment_puts *puts, unsigned index, uint32_t account)
{
    struct put_attempt *attempt = malloc(sizeof(*attempt));
    if (attempt == NULL) {
        return FAIL(NO_MEMORY, "put of a fragment");
    }
    size_t count = 0;
    struct rpc_slice *slices = slices_of(puts, index, &count);
    if (slices == NULL) {
        free(attempt);
        return FAIL(NO_MEMORY, "put of a fragment");
    }
    *attempt = (struct put_attempt){.puts = puts, .index = index, .account = account};
    struct fragment_name name = {
        .account = account, .chunk = puts->options.chunk, .copy = (uint8_t)index};
    pthread_mutex_lock(&puts->mutex);
    struct put_slot *slot = &puts->slots[index];
    slot->state = PUT_FLYING;
    slot->account = account;
    slot->attempts++;
    slot->flying++;
    if (MUTANT_ONE_ACCOUNT) {
        name.account = puts->slots[0].account;
    }
    pthread_mutex_unlock(&puts->mutex);

    atomic_fetch_add(&puts->references, 1);
    fragment_client_put(
        puts->options.fragments, &name, slices, count,
        clock_monotonic_ms() + puts->options.timeout_ms, attempt_done, attempt);
    free(slices);
    return OK;
}

struct status fragment_puts_start(struct fragment_puts *puts)
{
    for (unsigned i = 0; i < puts->options.count; i++) {
        if (puts->slots[i].state == PUT_FLYING) {
            TRY(attempt_start(puts, i, puts->slots[i].account));
        }
    }
    return OK;
}

/* ---------------------------------------------------------------- elsewhere, or again */

static struct put_slot slot_of(struct fragment_puts *puts, unsigned index)
{
    LOCKED(&puts->mutex);
    return puts->slots[index];
}

static void slot_give_up(struct fragment_puts *puts, unsigned index)
{
    LOCKED(&puts->mutex);
    puts->slots[index].state = PUT_GIVEN_UP; /* Only we look at it now: nothing is in flight. */
}

static void slot_postpone(struct fragment_puts *puts, unsigned index, int64_t until_ms)
{
    LOCKED(&puts->mutex);
    puts->slots[index].again_at_ms = until_ms;
}

/* An account that is up and has nothing of this chunk. */
static bool other_account(struct fragment_puts *puts, uint32_t *ret_account)
{
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    uint8_t random[8];
    if (puts->tried_count == PLACEMENT_USED_MAX ||
        !status_ok(random_bytes(random, sizeof(random)))) {
        return false;
    }
    size_t count = fragment_client_candidates(
        puts->options.fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
    return status_ok(placement_choose_other(
        candidates, count, puts->tried, puts->tried_count, random, ret_account));
}

static bool try_other(struct fragment_puts *puts, unsigned index)
{
    uint32_t account = 0;
    if (!other_account(puts, &account)) {
        return false;
    }
    puts->tried[puts->tried_count++] = account;
    return status_ok(attempt_start(puts, index, account));
}

static void tell(struct fragment_puts *puts, unsigned index, const struct put_slot *slot)
{
    if (slot->is_told || status_ok(slot->status)) {
        return;
    }
    log_event(
        LOG_WARN, "fragment not stored", LOG_INT("account", slot->account),
        LOG_HEX("chunk", BYTES_ARRAY(puts->options.chunk.bytes)), LOG_STATUS(slot->status));
    LOCKED(&puts->mutex);
    puts->slots[index].is_told = true;
}

/* The same bytes may go to the same account again, if only the way there failed. */
static bool may_repeat(struct status status)
{
    return status_ok(status) || status.code == STATUS_UNAVAILABLE ||
           status.code == STATUS_TIMEOUT || status.code == STATUS_UNKNOWN;
}

/* A fragment that is not under way: elsewhere; where nobody else is up, to its own account again.
 */
static void slot_retry(struct fragment_puts *puts, unsigned index, int64_t now_ms)
{
    struct put_slot slot = slot_of(puts, index);
    tell(puts, index, &slot);
    if (slot.attempts == ATTEMPTS_MAX) {
        slot_give_up(puts, index);
        return;
    }
    if (try_other(puts, index) || now_ms < slot.again_at_ms) {
        return;
    }
    if (!may_repeat(slot.status)) {
        slot_give_up(puts, index);
        return;
    }
    slot_postpone(puts, index, now_ms + LOOK_MS);
    if (fragment_client_is_up(puts->options.fragments, slot.account)) {
        IGNORE(attempt_start(puts, index, slot.account)); /* Without memory: later. */
    }
}

struct put_tally {
    unsigned stored;
    unsigned live;    /* In flight to accounts that are up. */
    unsigned slow;    /* In flight to others. */
    unsigned waiting; /* For somebody to be up. */
};

/* Move what does not move by itself, then count. */
static struct put_tally tally(struct fragment_puts *puts, bool look_who_is_up, int64_t now_ms)
{
    struct put_tally count = {.stored = 0};
    for (unsigned i = 0; i < puts->options.count; i++) {
        struct put_slot slot = slot_of(puts, i);
        if (slot.state == PUT_WAITING) {
            slot_retry(puts, i, now_ms);
            slot = slot_of(puts, i);
        }
        bool is_flying = slot.state == PUT_FLYING;
        bool is_live = is_flying && (!look_who_is_up ||
                                     fragment_client_is_up(puts->options.fragments, slot.account) ||
                                     (slot.attempts < ATTEMPTS_MAX && try_other(puts, i)));
        count.stored += slot.state == PUT_STORED ? 1 : 0;
        count.live += is_live ? 1 : 0;
        count.slow += is_flying && !is_live ? 1 : 0;
        count.waiting += slot.state == PUT_WAITING ? 1 : 0;
    }
    return count;
}

/* ---------------------------------------------------------------- waiting */

/* What a wait knows besides the slots. */
struct put_wait {
    int64_t deadline_ms;
    bool is_hasty;
    int64_t look_from_ms; /* Before, nobody who was up can be known not to be. */
    int64_t grace_end;    /* 0: no quorum yet. */
    int64_t stuck_since;  /* 0: enough are stored or may still be. */
};

/* True when waiting longer is of no use. */
static bool wait_is_over(
    const struct fragment_puts *puts, struct put_wait *wait, struct put_tally count, int64_t now_ms)
{
    if (count.stored >= puts->options.quorum) {
        wait->grace_end = wait->grace_end == 0 ? now_ms + puts->options.grace_ms : wait->grace_end;
        return count.live == 0 || now_ms >= wait->grace_end;
    }
    if (count.stored + count.live >= puts->options.quorum) {
        wait->stuck_since = 0;
        return false; /* Slow perhaps, but each attempt has its end. */
    }
    wait->stuck_since = wait->stuck_since == 0 ? now_ms : wait->stuck_since;
    unsigned possible = count.stored + count.live + count.slow + count.waiting;
    bool is_hopeless = possible < puts->options.quorum;
    bool is_stuck = wait->is_hasty && now_ms >= wait->stuck_since + STUCK_MS;
    return is_hopeless || is_stuck || now_ms >= wait->deadline_ms;
}

/* Until an attempt ended since the tally was taken, or it is time to look again. */
static void wait_for_change(struct fragment_puts *puts, struct put_tally count, int64_t until_ms)
{
    LOCKED(&puts->mutex);
    for (;;) {
        unsigned stored = 0;
        unsigned waiting = 0;
        for (unsigned i = 0; i < puts->options.count; i++) {
            stored += puts->slots[i].state == PUT_STORED ? 1 : 0;
            waiting += puts->slots[i].state == PUT_WAITING ? 1 : 0;
        }
        if (stored != count.stored || waiting != count.waiting ||
            !task_condition_wait(&puts->changed, &puts->mutex, until_ms)) {
            return;
        }
    }
}

struct status fragment_puts_wait(struct fragment_puts *puts, int64_t deadline_ms, bool is_hasty)
{
    struct put_wait wait = {
        .deadline_ms = deadline_ms,
        .is_hasty = is_hasty,
        .look_from_ms = clock_monotonic_ms() + LOOK_MS};
    for (;;) {
        int64_t now_ms = clock_monotonic_ms();
        struct put_tally count = tally(puts, now_ms >= wait.look_from_ms, now_ms);
        if (wait_is_over(puts, &wait, count, now_ms)) {
            return count.stored >= puts->options.quorum
                       ? OK
                       : FAIL(UNAVAILABLE, "too few storage accounts took the chunk");
        }
        int64_t until_ms = now_ms + LOOK_MS;
        if (wait.grace_end != 0 && wait.grace_end < until_ms) {
            until_ms = wait.grace_end;
        }
        wait_for_change(puts, count, until_ms);
    }
}

unsigned fragment_puts_entries(struct fragment_puts *puts, struct placement_entry *ret_entries)
{
    unsigned missing = 0;
    LOCKED(&puts->mutex);
    for (unsigned i = 0; i < puts->options.count; i++) {
        const struct put_slot *slot = &puts->slots[i];
        bool is_stored = slot->state == PUT_STORED;
        missing += is_stored ? 0 : 1;
        ret_entries[i] = (struct placement_entry){
            .account = slot->account,
            .copy = (uint8_t)i,
            .state = is_stored ? PLACEMENT_STORED : PLACEMENT_MISSING};
    }
    return missing;
}
