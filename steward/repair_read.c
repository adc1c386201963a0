#include "steward/repair_read.h"

#include "lib/base/check.h"
#include "lib/base/task.h"

#include <stdlib.h>

#include <openssl/crypto.h>

/* Lives until the last of its gets is answered: every get has a deadline. */
struct gather {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned pending;
};

struct gather_one {
    struct gather *gather;
    uint8_t *to; /* Borrowed, size bytes. */
    size_t size;
    struct status status; /* OK: the bytes are there, and as many as there should be. */
};

static void got(void *arg, struct status status, const struct rpc_pieces *pieces)
{
    struct gather_one *one = arg;
    struct gather *gather = one->gather;
    if (status_ok(status) && pieces->size != one->size) {
        status = FAIL(CORRUPT, "the fragment has another size");
    }
    if (status_ok(status)) {
        rpc_pieces_copy(pieces, 0, one->to, one->size);
    }
    LOCKED(&gather->mutex);
    one->status = status;
    gather->pending--;
    pthread_cond_signal(&gather->changed);
}

static void gather_all(
    struct fragment_client *client, const struct repair_chunk *chunk,
    const struct repair_fragments *fragments, int64_t deadline_ms, struct gather_one *ones)
{
    struct gather gather = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    task_condition_init(&gather.changed);
    unsigned total = chunk->k + chunk->m;
    gather.pending = total;
    for (unsigned i = 0; i < total; i++) {
        const struct placement_entry *entry = &chunk->entries[i];
        ones[i] = (struct gather_one){
            .gather = &gather, .to = fragments->data[i], .size = fragments->sizes[i]};
        if (entry->state == PLACEMENT_MISSING) {
            got(&ones[i], FAIL(NOT_FOUND, "never stored"), NULL);
            continue;
        }
        struct fragment_name name = {
            .account = entry->account, .chunk = chunk->row.chunk, .copy = entry->copy};
        fragment_client_get(client, &name, 0, 0, deadline_ms, got, &ones[i]);
    }
    pthread_mutex_lock(&gather.mutex);
    while (gather.pending > 0) {
        pthread_cond_wait(&gather.changed, &gather.mutex);
    }
    pthread_mutex_unlock(&gather.mutex);
    pthread_cond_destroy(&gather.changed);
}

/* The node's answer, and then the tag, decide. */
static struct status judge(
    struct aead *tagger, const struct repair_chunk *chunk, unsigned index,
    const struct gather_one *one, struct repair_fragments *fragments)
{
    if (!status_ok(one->status)) {
        bool is_known = one->status.code == STATUS_NOT_FOUND ||
                        one->status.code == STATUS_CORRUPT || one->status.code == STATUS_RANGE;
        fragments->verdicts[index] = is_known ? REPAIR_BAD : REPAIR_UNKNOWN;
        return OK;
    }
    uint8_t tag[FRAGMENT_TAG_SIZE];
    struct bytes whole = bytes_of(one->to, one->size);
    TRY(fragment_tagger_tag(tagger, index, &whole, 1, tag));
    const uint8_t *wanted = chunk->row.tags + (size_t)index * FRAGMENT_TAG_SIZE;
    bool is_good = CRYPTO_memcmp(tag, wanted, sizeof(tag)) == 0;
    fragments->verdicts[index] = is_good ? REPAIR_GOOD : REPAIR_BAD;
    return OK;
}

void repair_read_done(struct repair_fragments *fragments)
{
    for (unsigned i = 0; i < ERASURE_FRAGMENTS_MAX; i++) {
        free(fragments->data[i]);
        fragments->data[i] = NULL;
    }
}

struct status repair_read(
    struct fragment_client *client, struct aead *tagger, const struct erasure *erasure,
    const struct repair_chunk *chunk, int64_t deadline_ms, struct repair_fragments *ret_fragments)
{
    struct gather_one ones[ERASURE_FRAGMENTS_MAX];
    unsigned total = chunk->k + chunk->m;
    CHECK(total <= ERASURE_FRAGMENTS_MAX);
    *ret_fragments = (struct repair_fragments){0};
    for (unsigned i = 0; i < total; i++) {
        ret_fragments->sizes[i] = erasure_fragment_size(erasure, &chunk->row.shape, i);
        ret_fragments->data[i] = malloc(ret_fragments->sizes[i] + 1);
        if (ret_fragments->data[i] == NULL) {
            repair_read_done(ret_fragments);
            return FAIL(NO_MEMORY, "fragment");
        }
    }
    gather_all(client, chunk, ret_fragments, deadline_ms, ones);
    struct status status = OK;
    for (unsigned i = 0; i < total; i++) {
        if (status_ok(status)) {
            status = judge(tagger, chunk, i, &ones[i], ret_fragments);
        }
    }
    if (!status_ok(status)) {
        repair_read_done(ret_fragments);
    }
    return status;
}
