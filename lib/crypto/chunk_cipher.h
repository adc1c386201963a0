#pragma once

/*
 * A chunk, FORMATS 3: sealed in blocks under its own key, with a commitment to key and context.
 *
 * The sealed chunk lies in memory block after block, each followed by its 16-byte tag: block b
 * begins at chunk_shape_offset(shape, b). Plaintext is read into those slots and sealed in place.
 */

#include "lib/crypto/secret.h"

enum {
    CHUNK_TAG_SIZE = 16,
    CHUNK_BLOCK_MAX = 64 * 1024,
    CHUNK_CONTEXT_SIZE = 96,
    CHUNK_COMMIT_SIZE = 32,
    CHUNK_ID_SIZE = 14,
    CHUNK_SUITE = 1,
    CHUNK_PLAIN_MAX = 64 * 1024 * 1024,
};

struct chunk_shape {
    uint32_t plain_len;  /* 1 to CHUNK_PLAIN_MAX. */
    uint32_t padded_len; /* At least plain_len. */
    uint32_t block_len;  /* A multiple of 4 KiB, at most CHUNK_BLOCK_MAX. */
};

struct chunk_context {
    uint8_t tenant[16];
    uint8_t bucket[16];
    uint8_t data[16];
    uint32_t part;
    uint32_t index;  /* In the part. */
    uint64_t offset; /* In the part. */
    struct chunk_shape shape;
    uint8_t chunk_id[CHUNK_ID_SIZE];
};

/* The shape that a writer chooses for plain_len bytes over k data fragments; no padding. */
struct chunk_shape chunk_shape_choose(uint32_t plain_len, unsigned k);

/* INVALID unless every field is within its bounds: for shapes that come from a row. */
MUST_CHECK struct status chunk_shape_check(const struct chunk_shape *shape);

uint32_t chunk_shape_blocks(const struct chunk_shape *shape);
/* Bytes of padded plaintext in block b. */
uint32_t chunk_shape_block_size(const struct chunk_shape *shape, uint32_t block);
/* Where block b begins in the sealed chunk. */
size_t chunk_shape_offset(const struct chunk_shape *shape, uint32_t block);
/* Size of the whole sealed chunk. */
size_t chunk_shape_sealed_size(const struct chunk_shape *shape);

/* The 96 bytes of FORMATS 3. */
void chunk_context_encode(const struct chunk_context *context, uint8_t ret[CHUNK_CONTEXT_SIZE]);

/* Keys and key schedule of one chunk. One thread at a time. */
struct chunk_cipher;

MUST_CHECK struct status chunk_cipher_new(
    const struct secret *dek, const struct chunk_context *context,
    struct chunk_cipher **ret_cipher);

/* As chunk_cipher_new, but CORRUPT unless commit is that of dek and context (constant time). */
MUST_CHECK struct status chunk_cipher_new_checked(
    const struct secret *dek, const struct chunk_context *context,
    const uint8_t commit[CHUNK_COMMIT_SIZE], struct chunk_cipher **ret_cipher);

void chunk_cipher_free(struct chunk_cipher *cipher);

const uint8_t *chunk_cipher_commit(const struct chunk_cipher *cipher);

/* Seal every block of sealed[0..chunk_shape_sealed_size) in place; zero the padding first. */
MUST_CHECK struct status chunk_cipher_seal(struct chunk_cipher *cipher, uint8_t *sealed);

/* Open one block in place: slot points at it, its tag behind it. CORRUPT if it does not verify,
 * or if padding is not zero. */
MUST_CHECK struct status
chunk_cipher_open_block(struct chunk_cipher *cipher, uint32_t block, uint8_t *slot);

DEFINE_OWNED(chunk_cipher)
