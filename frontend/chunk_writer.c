#include "frontend/chunk_writer.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/mutant.h"
#include "lib/base/task.h"
#include "lib/crypto/key_wrap.h"
#include "lib/crypto/random.h"
#include "lib/telemetry/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    ATTEMPTS_MAX = 3,
    SLICES_MAX = 1024,
    AGAIN_MS = 250,
    PATIENCE_MS = 2500,
    PATIENCE_STEP_MS = 50,
};

enum put_state { PUT_FLYING, PUT_STORED, PUT_FAILED, PUT_GIVEN_UP };

/* One attempt to put one fragment; lives until its done function ran. */
struct put_attempt {
    struct chunk_write *write;
    unsigned index;
    unsigned number;
};

struct put_slot {
    enum put_state state;
    uint32_t account;
    unsigned attempts;
    struct status status;
};

struct chunk_write {
    atomic_uint references; /* The owner and each attempt in flight. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct fragment_client *fragments;
    const struct erasure *erasure;
    struct chunk_buffer *buffer; /* A reference, the owner's. */
    struct chunk_context context;
    int64_t timeout_ms;
    int64_t grace_ms;
    unsigned count; /* k+m */
    unsigned quorum;
    uint8_t commit[CHUNK_COMMIT_SIZE];
    uint8_t wrapped_dek[KEY_WRAP_SIZE];
    uint8_t tags[ERASURE_FRAGMENTS_MAX * FRAGMENT_TAG_SIZE];
    struct put_slot slots[ERASURE_FRAGMENTS_MAX];
    uint32_t tried[ERASURE_FRAGMENTS_MAX * ATTEMPTS_MAX]; /* Accounts, each once. */
    unsigned tried_count;
};

size_t chunk_write_memory(const struct erasure *erasure, const struct chunk_shape *shape)
{
    unsigned k = erasure_k(erasure);
    size_t memory = chunk_shape_sealed_size(shape);
    if (k == 1) {
        return memory; /* Copies are sent from the same bytes. */
    }
    for (unsigned i = 0; i < erasure_m(erasure); i++) {
        memory += erasure_fragment_size(erasure, shape, k + i);
    }
    return memory;
}

static void write_unref(struct chunk_write *write)
{
    if (atomic_fetch_sub(&write->references, 1) > 1) {
        return;
    }
    pthread_cond_destroy(&write->changed);
    pthread_mutex_destroy(&write->mutex);
    free(write);
}

void chunk_write_free(struct chunk_write *write)
{
    if (write == NULL) {
        return;
    }
    chunk_buffer_unref(TAKE(write->buffer));
    write_unref(write);
}

/* Where the bytes of fragment index lie: the pieces of the sealed chunk, or a parity. */
static size_t fragment_pieces(const struct chunk_write *write, unsigned index, struct bytes *pieces)
{
    const struct chunk_shape *shape = &write->context.shape;
    const uint8_t *sealed = chunk_buffer_data(write->buffer);
    unsigned k = erasure_k(write->erasure);
    if (k == 1) {
        pieces[0] = bytes_of(sealed, chunk_shape_sealed_size(shape));
        return 1;
    }
    if (index >= k) {
        const uint8_t *parity = sealed + chunk_shape_sealed_size(shape);
        for (unsigned i = k; i < index; i++) {
            parity += erasure_fragment_size(write->erasure, shape, i);
        }
        pieces[0] = bytes_of(parity, erasure_fragment_size(write->erasure, shape, index));
        return 1;
    }
    size_t count = 0;
    for (uint32_t block = index; block < chunk_shape_blocks(shape); block += k) {
        CHECK(count < SLICES_MAX);
        pieces[count++] = bytes_of(
            sealed + chunk_shape_offset(shape, block),
            chunk_shape_block_size(shape, block) + CHUNK_TAG_SIZE);
    }
    return count;
}

static void slice_release(void *arg)
{
    chunk_buffer_unref(arg);
}

static void attempt_done(void *arg, struct status status, enum blob_outcome outcome)
{
    (void)outcome; /* The status says as much as we need. */
    struct put_attempt *attempt = arg;
    struct chunk_write *write = attempt->write;
    pthread_mutex_lock(&write->mutex);
    struct put_slot *slot = &write->slots[attempt->index];
    if (slot->attempts == attempt->number) {
        slot->status = status;
        slot->state = status_ok(status) ? PUT_STORED : PUT_FAILED;
    }
    pthread_mutex_unlock(&write->mutex);
    /* Not under the mutex, or the owner wakes only to sleep on it; our reference keeps it here. */
    pthread_cond_signal(&write->changed);
    free(attempt);
    write_unref(write);
}

/* Start the put of fragment index to the account in its slot; not under the mutex, because a
 * failure to start calls attempt_done at once. */
static struct status put_start(struct chunk_write *write, unsigned index, struct bytes *pieces)
{
    size_t count = fragment_pieces(write, index, pieces);
    struct put_attempt *attempt = malloc(sizeof(*attempt));
    struct rpc_slice *slices = calloc(count + 1, sizeof(*slices));
    if (attempt == NULL || slices == NULL) {
        free(attempt);
        free(slices);
        return FAIL(NO_MEMORY, "put of a fragment");
    }
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].size > 0) {
            slices[used++] = (struct rpc_slice){
                .bytes = pieces[i],
                .release = slice_release,
                .arg = chunk_buffer_ref(write->buffer)};
        }
    }
    struct fragment_name name = {.account = write->slots[index].account, .copy = (uint8_t)index};
    memcpy(name.chunk.bytes, write->context.chunk_id, CHUNK_ID_SIZE);
    if (MUTANT_ONE_ACCOUNT) {
        name.account = write->slots[0].account;
    }

    pthread_mutex_lock(&write->mutex);
    struct put_slot *slot = &write->slots[index];
    slot->state = PUT_FLYING;
    slot->attempts++;
    *attempt = (struct put_attempt){.write = write, .index = index, .number = slot->attempts};
    pthread_mutex_unlock(&write->mutex);

    atomic_fetch_add(&write->references, 1);
    fragment_client_put(
        write->fragments, &name, slices, used, clock_monotonic_ms() + write->timeout_ms,
        attempt_done, attempt);
    free(slices);
    return OK;
}

static struct status
chunk_seal(struct chunk_write *write, const struct chunk_write_options *options)
{
    OWNED(secret) struct secret *dek = NULL;
    TRY(secret_new_random(SECRET_KEY_SIZE, &dek));
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    TRY(chunk_cipher_new(dek, &write->context, &cipher));
    TRY(chunk_cipher_seal(cipher, chunk_buffer_data(write->buffer)));
    memcpy(write->commit, chunk_cipher_commit(cipher), CHUNK_COMMIT_SIZE);
    return key_wrap(options->dek_kek, dek, write->wrapped_dek);
}

static void parity_make(struct chunk_write *write)
{
    const struct chunk_shape *shape = &write->context.shape;
    unsigned k = erasure_k(write->erasure);
    if (k == 1 || write->count == k) {
        return;
    }
    uint8_t *parity[ERASURE_FRAGMENTS_MAX];
    uint8_t *next = chunk_buffer_data(write->buffer) + chunk_shape_sealed_size(shape);
    for (unsigned i = 0; i < write->count - k; i++) {
        parity[i] = next;
        next += erasure_fragment_size(write->erasure, shape, k + i);
    }
    erasure_encode(write->erasure, shape, chunk_buffer_data(write->buffer), parity);
}

static struct status
tags_make(struct chunk_write *write, const struct secret *integrity_key, struct bytes *pieces)
{
    struct chunk_id chunk;
    memcpy(chunk.bytes, write->context.chunk_id, CHUNK_ID_SIZE);
    OWNED(aead) struct aead *tagger = NULL;
    TRY(fragment_tagger_new(integrity_key, &chunk, &tagger));
    for (unsigned i = 0; i < write->count; i++) {
        size_t count = fragment_pieces(write, i, pieces);
        TRY(fragment_tagger_tag(
            tagger, i, pieces, count, write->tags + (size_t)i * FRAGMENT_TAG_SIZE));
    }
    return OK;
}

/* One draw; *ret_up of the accounts are up. */
static struct status accounts_draw(struct chunk_write *write, unsigned *ret_up)
{
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    size_t count =
        fragment_client_candidates(write->fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
    uint8_t random[4 * ERASURE_FRAGMENTS_MAX + 4];
    TRY(random_bytes(random, sizeof(random)));
    return placement_choose(candidates, count, write->count, random, write->tried, ret_up);
}

/* A node that restarts, or a connection that comes up, is back within seconds: better a short wait
 * than an error in the middle of an upload. */
static struct status accounts_choose(struct chunk_write *write)
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    unsigned up = 0;
    TRY(accounts_draw(write, &up));
    while (up < write->quorum) {
        if (clock_monotonic_ms() >= end_ms) {
            return FAIL(UNAVAILABLE, "too few storage accounts are up");
        }
        clock_sleep_ms(PATIENCE_STEP_MS);
        TRY(accounts_draw(write, &up));
    }
    write->tried_count = write->count;
    /* The first of the chosen are the ones that are up: data fragments go there. */
    for (unsigned i = 0; i < write->count; i++) {
        write->slots[i] = (struct put_slot){.account = write->tried[i], .status = OK};
    }
    return OK;
}

struct status chunk_write_start(
    const struct chunk_write_options *options, struct chunk_buffer **take_buffer,
    struct chunk_write **ret_write)
{
    OWNED(chunk_write) struct chunk_write *write = calloc(1, sizeof(*write));
    if (write == NULL) {
        return FAIL(NO_MEMORY, "chunk write");
    }
    atomic_init(&write->references, 1);
    pthread_mutex_init(&write->mutex, NULL);
    task_condition_init(&write->changed);
    write->fragments = options->fragments;
    write->erasure = options->erasure;
    write->context = *options->context;
    write->timeout_ms = options->timeout_ms;
    write->grace_ms = options->grace_ms;
    write->count = erasure_k(write->erasure) + erasure_m(write->erasure);
    write->quorum = erasure_k(write->erasure) + (erasure_m(write->erasure) > 0 ? 1 : 0);
    write->buffer = TAKE(*take_buffer);
    CHECK(
        chunk_buffer_size(write->buffer) >=
        chunk_write_memory(write->erasure, &write->context.shape));

    static _Thread_local struct bytes pieces[SLICES_MAX];
    TRY(accounts_choose(write));
    TRY(chunk_seal(write, options));
    parity_make(write);
    TRY(tags_make(write, options->integrity_key, pieces));
    for (unsigned i = 0; i < write->count; i++) {
        TRY(put_start(write, i, pieces));
    }

    *ret_write = TAKE(write);
    return OK;
}

/* Another account for a fragment; where none is left, the same one again a little later, if it
 * certainly never saw the fragment: a connection may just be coming up. */
static bool place_again(struct chunk_write *write, struct put_slot *slot)
{
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    uint8_t random[8];
    if (!status_ok(random_bytes(random, sizeof(random)))) {
        return false;
    }
    size_t count =
        fragment_client_candidates(write->fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
    uint32_t account = 0;
    struct status other = placement_choose_other(
        candidates, count, write->tried, write->tried_count, random, &account);
    if (status_ok(other)) {
        write->tried[write->tried_count++] = account;
        slot->account = account;
        return true;
    }
    if (slot->status.code != STATUS_UNAVAILABLE) {
        return false;
    }
    clock_sleep_ms(AGAIN_MS * (int64_t)slot->attempts);
    return true;
}

/* Send a fragment that failed once more, while a try is left. */
static void put_again(struct chunk_write *write, unsigned index)
{
    static _Thread_local struct bytes pieces[SLICES_MAX];
    struct put_slot *slot = &write->slots[index];
    log_event(
        LOG_WARN, "fragment not stored", LOG_INT("account", slot->account),
        LOG_HEX("chunk", bytes_of(write->context.chunk_id, CHUNK_ID_SIZE)),
        LOG_STATUS(slot->status));

    if (slot->attempts < ATTEMPTS_MAX && place_again(write, slot) &&
        status_ok(put_start(write, index, pieces))) {
        return;
    }
    slot->state = PUT_GIVEN_UP; /* Only we look at it now: its attempt has ended. */
}

struct put_tally {
    unsigned stored;
    unsigned flying;
    int failed; /* One that can be tried again, or -1. */
};

static struct put_tally tally(const struct chunk_write *write)
{
    struct put_tally count = {.failed = -1};
    for (unsigned i = 0; i < write->count; i++) {
        count.stored += write->slots[i].state == PUT_STORED ? 1 : 0;
        count.flying += write->slots[i].state == PUT_FLYING ? 1 : 0;
        count.failed = write->slots[i].state == PUT_FAILED ? (int)i : count.failed;
    }
    return count;
}

/* Until all are stored, or enough are and the extra time is over, or nothing moves any more. */
static struct put_tally wait_for_quorum(struct chunk_write *write)
{
    int64_t grace_end = 0;
    pthread_mutex_lock(&write->mutex);
    for (;;) {
        struct put_tally count = tally(write);
        if (count.failed >= 0) {
            pthread_mutex_unlock(&write->mutex);
            put_again(write, (unsigned)count.failed);
            pthread_mutex_lock(&write->mutex);
            continue;
        }
        bool is_enough = count.stored >= write->quorum;
        if (is_enough && grace_end == 0) {
            grace_end = clock_monotonic_ms() + write->grace_ms;
        }
        int64_t now = clock_monotonic_ms();
        if (count.flying == 0 || (is_enough && now >= grace_end)) {
            pthread_mutex_unlock(&write->mutex);
            return count;
        }
        int64_t until = is_enough ? grace_end : now + 2 * write->timeout_ms;
        IGNORE(task_condition_wait(&write->changed, &write->mutex, until)); /* Tallied again. */
    }
}

struct status chunk_write_finish(struct chunk_write *write, struct chunk_written *ret_written)
{
    struct put_tally count = wait_for_quorum(write);
    if (count.stored < write->quorum) {
        return FAIL(UNAVAILABLE, "too few storage accounts took the chunk");
    }

    struct chunk_written written = {
        .row = {
            .suite = CHUNK_SUITE,
            .shape = write->context.shape,
            .tags = write->tags,
        }};
    memcpy(written.row.chunk.bytes, write->context.chunk_id, CHUNK_ID_SIZE);
    memcpy(written.row.commit, write->commit, CHUNK_COMMIT_SIZE);
    memcpy(written.row.wrapped_dek, write->wrapped_dek, KEY_WRAP_SIZE);
    LOCKED(&write->mutex);
    for (unsigned i = 0; i < write->count; i++) {
        const struct put_slot *slot = &write->slots[i];
        bool is_stored = slot->state == PUT_STORED;
        written.missing += is_stored ? 0 : 1;
        written.entries[i] = (struct placement_entry){
            .account = slot->account,
            .copy = (uint8_t)i,
            .state = is_stored ? PLACEMENT_STORED : PLACEMENT_MISSING};
    }

    *ret_written = written;
    return OK;
}
