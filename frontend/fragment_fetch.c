#include "frontend/fragment_gather_state.h"
#include "lib/base/clock.h"

#include <stdlib.h>

void fragment_fetch_unref(struct fragment_gather *gather)
{
    if (atomic_fetch_sub(&gather->references, 1) > 1) {
        return;
    }
    pthread_cond_destroy(&gather->changed);
    pthread_mutex_destroy(&gather->mutex);
    free(gather);
}

static void fetch_settle(
    struct fragment_gather *gather, const struct fetch *fetch, struct status status,
    const struct rpc_pieces *pieces)
{
    LOCKED(&gather->mutex);
    struct gather_slot *slot = &gather->slots[fetch->index];
    if (slot->fetch != fetch) {
        return;
    }
    slot->fetch = NULL;
    if (status_ok(status) && pieces->size != fetch->span.size) {
        status = FAIL(CORRUPT, "length of a fragment");
    }
    if (status_ok(status) && fetch->span.size > 0) {
        uint8_t *to = chunk_buffer_data(gather->buffer) + gather->plan.bases[fetch->index] +
                      fetch->span.offset;
        rpc_pieces_copy(pieces, 0, to, fetch->span.size);
    }
    slot->status = status;
    slot->state = status_ok(status) ? SLOT_CAME : SLOT_FAILED;
}

static void fetch_done(void *arg, struct status status, const struct rpc_pieces *pieces)
{
    struct fetch *fetch = arg;
    struct fragment_gather *gather = fetch->gather;
    fetch_settle(gather, fetch, status, pieces);
    /* Not under the mutex, or the owner wakes only to sleep on it; our reference keeps it here. */
    pthread_cond_signal(&gather->changed);
    free(fetch);
    fragment_fetch_unref(gather);
}

struct status fragment_fetch_start(
    struct fragment_gather *gather, unsigned index, const struct fragment_span *span)
{
    struct fetch *fetch = malloc(sizeof(*fetch));
    if (fetch == NULL) {
        return FAIL(NO_MEMORY, "fetch");
    }
    *fetch = (struct fetch){.gather = gather, .index = index, .span = *span};
    pthread_mutex_lock(&gather->mutex);
    gather->slots[index] = (struct gather_slot){
        .fetch = fetch,
        .state = SLOT_FLYING,
        .is_whole = span->offset == 0 && span->size == gather->plan.sizes[index],
        .status = OK};
    pthread_mutex_unlock(&gather->mutex);

    const struct placement_entry *entry = &gather->reference->entries[index];
    struct fragment_name name = {.account = entry->account, .copy = entry->copy};
    memcpy(name.chunk.bytes, gather->reference->context.chunk_id, CHUNK_ID_SIZE);
    atomic_fetch_add(&gather->references, 1);
    fragment_client_get(
        gather->options.fragments, &name, span->offset, span->size,
        clock_monotonic_ms() + gather->options.timeout_ms, fetch_done, fetch);
    return OK;
}
