#include "frontend/chunk_writer.h"

#include "frontend/fragment_puts.h"
#include "lib/base/check.h"
#include "lib/crypto/key_wrap.h"

#include <stdlib.h>

struct chunk_write {
    const struct erasure *erasure;
    struct chunk_buffer *buffer; /* A reference. */
    struct chunk_context context;
    struct chunk_cipher *cipher; /* Owned. */
    struct fragment_puts *puts;  /* Owned. */
    unsigned count;              /* k+m */
    uint8_t wrapped_dek[KEY_WRAP_SIZE];
    uint8_t tags[ERASURE_FRAGMENTS_MAX * FRAGMENT_TAG_SIZE];
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

void chunk_write_free(struct chunk_write *write)
{
    if (write == NULL) {
        return;
    }
    fragment_puts_free(write->puts);
    chunk_buffer_unref(write->buffer);
    chunk_cipher_free(write->cipher);
    free(write);
}

/* Where the bytes of fragment index lie: the pieces of the sealed chunk, or a parity. */
static size_t fragment_pieces(const void *context, unsigned index, struct bytes *pieces)
{
    const struct chunk_write *write = context;
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
        CHECK(count < FRAGMENT_PIECES_MAX);
        pieces[count++] = bytes_of(
            sealed + chunk_shape_offset(shape, block),
            chunk_shape_block_size(shape, block) + CHUNK_TAG_SIZE);
    }
    return count;
}

static struct status
chunk_seal(struct chunk_write *write, const struct chunk_write_options *options)
{
    OWNED(secret) struct secret *dek = NULL;
    TRY(secret_new_random(SECRET_KEY_SIZE, &dek));
    TRY(chunk_cipher_new(dek, &write->context, &write->cipher));
    TRY(chunk_cipher_seal(write->cipher, chunk_buffer_data(write->buffer)));
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

static struct status tags_make(struct chunk_write *write, const struct secret *integrity_key)
{
    static _Thread_local struct bytes pieces[FRAGMENT_PIECES_MAX];
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

/* Accounts first: there is no point in sealing what nobody takes. */
static struct status puts_make(struct chunk_write *write, const struct chunk_write_options *options)
{
    unsigned k = erasure_k(write->erasure);
    struct fragment_puts_options puts = {
        .fragments = options->fragments,
        .buffer = write->buffer,
        .count = write->count,
        .quorum = k + (write->count > k ? 1 : 0),
        .pieces = fragment_pieces,
        .context = write,
        .timeout_ms = options->timeout_ms,
        .grace_ms = options->grace_ms,
    };
    memcpy(puts.chunk.bytes, write->context.chunk_id, CHUNK_ID_SIZE);
    return fragment_puts_new(&puts, options->deadline_ms, &write->puts);
}

struct status chunk_write_start(
    const struct chunk_write_options *options, struct chunk_buffer **take_buffer,
    struct chunk_write **ret_write)
{
    OWNED(chunk_write) struct chunk_write *write = calloc(1, sizeof(*write));
    if (write == NULL) {
        return FAIL(NO_MEMORY, "chunk write");
    }
    write->erasure = options->erasure;
    write->context = *options->context;
    write->count = erasure_k(write->erasure) + erasure_m(write->erasure);
    write->buffer = TAKE(*take_buffer);
    CHECK(
        chunk_buffer_size(write->buffer) >=
        chunk_write_memory(write->erasure, &write->context.shape));

    TRY(puts_make(write, options));
    TRY(chunk_seal(write, options));
    parity_make(write);
    TRY(tags_make(write, options->integrity_key));
    TRY(fragment_puts_start(write->puts));

    *ret_write = TAKE(write);
    return OK;
}

struct status chunk_write_finish(
    struct chunk_write *write, int64_t deadline_ms, bool is_hasty,
    struct chunk_written *ret_written)
{
    TRY(fragment_puts_wait(write->puts, deadline_ms, is_hasty));

    struct chunk_written written = {
        .row = {
            .suite = CHUNK_SUITE,
            .shape = write->context.shape,
            .tags = write->tags,
        }};
    memcpy(written.row.chunk.bytes, write->context.chunk_id, CHUNK_ID_SIZE);
    memcpy(written.row.commit, chunk_cipher_commit(write->cipher), CHUNK_COMMIT_SIZE);
    memcpy(written.row.wrapped_dek, write->wrapped_dek, KEY_WRAP_SIZE);
    written.missing = fragment_puts_entries(write->puts, written.entries);

    *ret_written = written;
    return OK;
}

const struct chunk_shape *chunk_write_shape(const struct chunk_write *write)
{
    return &write->context.shape;
}

struct status chunk_write_reopen(struct chunk_write *write, uint8_t *to)
{
    const struct chunk_shape *shape = &write->context.shape;
    memcpy(to, chunk_buffer_data(write->buffer), chunk_shape_sealed_size(shape));
    for (uint32_t block = 0; block < chunk_shape_blocks(shape); block++) {
        TRY(chunk_cipher_open_block(write->cipher, block, to + chunk_shape_offset(shape, block)));
    }
    return OK;
}
