#include "frontend/chunk_reader.h"

#include "frontend/fragment_gather.h"
#include "lib/base/check.h"
#include "lib/crypto/key_wrap.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

struct chunk_read {
    struct chunk_reference reference;
    struct fragment_gather *gather; /* Owned. */
    struct chunk_cipher *cipher;    /* Owned. */
    uint32_t next_block;
    bool is_gathered; /* The needed fragments have come. */
    bool is_rebuilt;
};

size_t chunk_read_memory(const struct erasure *erasure, const struct chunk_reference *reference)
{
    struct fragment_plan plan;
    fragment_plan_make(erasure, &reference->context.shape, reference->from, reference->to, &plan);
    return plan.memory;
}

struct status chunk_read_start(
    const struct chunk_read_options *options, const struct chunk_reference *reference,
    struct chunk_buffer **take_buffer, struct chunk_read **ret_read)
{
    OWNED(chunk_read) struct chunk_read *read = calloc(1, sizeof(*read));
    if (read == NULL) {
        return FAIL(NO_MEMORY, "chunk read");
    }
    read->reference = *reference;
    TRY(fragment_gather_start(options, &read->reference, take_buffer, &read->gather));
    read->next_block = fragment_gather_plan(read->gather)->first_block;

    *ret_read = TAKE(read);
    return OK;
}

struct status chunk_read_unlock(struct chunk_read *read, const struct secret *dek_kek)
{
    CHECK(read->cipher == NULL);
    OWNED(secret) struct secret *dek = NULL;
    TRY(key_unwrap(dek_kek, BYTES_ARRAY(read->reference.wrapped_dek), &dek));
    return chunk_cipher_new_checked(
        dek, &read->reference.context, read->reference.commit, &read->cipher);
}

/* Open one block; when it does not verify, its fragment lied: rebuild without it, once. */
static struct status open_block(struct chunk_read *read, uint32_t block, int64_t deadline_ms)
{
    uint8_t *slot = fragment_gather_block(read->gather, block);
    struct status status = chunk_cipher_open_block(read->cipher, block, slot);
    if (status.code != STATUS_CORRUPT || read->is_rebuilt) {
        return status;
    }
    log_event(
        LOG_WARN, "a fragment does not verify: rebuilding",
        LOG_HEX("chunk", BYTES_ARRAY(read->reference.context.chunk_id)), LOG_INT("block", block));
    read->is_rebuilt = true;
    TRY(fragment_gather_distrust(read->gather, block, deadline_ms));
    return chunk_cipher_open_block(read->cipher, block, fragment_gather_block(read->gather, block));
}

struct status chunk_read_next(struct chunk_read *read, int64_t deadline_ms, struct bytes *ret_plain)
{
    CHECK(read->cipher != NULL);
    const struct chunk_shape *shape = &read->reference.context.shape;
    const struct fragment_plan *plan = fragment_gather_plan(read->gather);
    uint32_t block = read->next_block;
    if (block > plan->last_block) {
        *ret_plain = bytes_of(NULL, 0);
        return OK;
    }
    if (!read->is_gathered) {
        TRY(fragment_gather_wait(read->gather, deadline_ms));
        read->is_gathered = true;
    }
    TRY(open_block(read, block, deadline_ms));
    read->next_block++;

    uint32_t start = block * shape->block_len;
    uint32_t end = start + chunk_shape_block_size(shape, block);
    uint32_t from = read->reference.from > start ? read->reference.from : start;
    uint32_t to = read->reference.to < end ? read->reference.to : end;
    *ret_plain = bytes_of(fragment_gather_block(read->gather, block) + (from - start), to - from);
    return OK;
}

bool chunk_read_is_damaged(const struct chunk_read *read)
{
    return fragment_gather_is_damaged(read->gather);
}

const struct chunk_reference *chunk_read_reference(const struct chunk_read *read)
{
    return &read->reference;
}

void chunk_read_free(struct chunk_read *read)
{
    if (read == NULL) {
        return;
    }
    fragment_gather_free(read->gather);
    chunk_cipher_free(read->cipher);
    free(read);
}
