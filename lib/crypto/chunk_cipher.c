/*
 * ctx96  = suite u16 | 0^2 | tenant16 | bucket16 | data16 | part u32 | index_in_part u32
 *        | offset_in_part u64 | plain_len u32 | padded_len u32 | block_len u32 | chunk_id14 | 0^2
 * k_enc  = D(DEK, "triad/v1/enc", ctx)      commit32 = D(DEK, "triad/v1/commit", ctx)
 * block  = C_b | tag16 = AES-256-GCM(k_enc, iv = 0^7 | last u8 | b u32, AAD = ctx, plaintext)
 *
 * A DEK seals once, so the iv counts blocks from zero. GCM alone does not bind a ciphertext to one
 * key; the commitment does, and it is compared before anything is decrypted.
 */

#include "lib/crypto/chunk_cipher.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/mutant.h"
#include "lib/crypto/aead.h"
#include "lib/crypto/kdf.h"

#include <stdlib.h>

#include <openssl/crypto.h>

struct chunk_cipher {
    struct aead *aead; /* Owned. */
    struct chunk_shape shape;
    uint8_t context[CHUNK_CONTEXT_SIZE];
    uint8_t commit[CHUNK_COMMIT_SIZE];
};

enum { IV_LAST_AT = 7, IV_BLOCK_AT = 8 };

void chunk_context_encode(const struct chunk_context *context, uint8_t ret[CHUNK_CONTEXT_SIZE])
{
    memset(ret, 0, CHUNK_CONTEXT_SIZE);
    encode_u16(ret, CHUNK_SUITE);
    memcpy(ret + 4, context->tenant, sizeof(context->tenant));
    memcpy(ret + 20, context->bucket, sizeof(context->bucket));
    memcpy(ret + 36, context->data, sizeof(context->data));
    encode_u32(ret + 52, context->part);
    encode_u32(ret + 56, context->index);
    encode_u64(ret + 60, context->offset);
    encode_u32(ret + 68, context->shape.plain_len);
    encode_u32(ret + 72, context->shape.padded_len);
    encode_u32(ret + 76, context->shape.block_len);
    memcpy(ret + 80, context->chunk_id, CHUNK_ID_SIZE);
}

/* Fill in context and commitment; the cipher cannot seal or open yet. */
static struct status derive_commit(
    const struct secret *dek, const struct chunk_context *context, struct chunk_cipher *cipher)
{
    TRY(chunk_shape_check(&context->shape));
    cipher->shape = context->shape;
    chunk_context_encode(context, cipher->context);
    OWNED(secret) struct secret *commit = NULL;
    TRY(kdf_derive1(dek, "triad/v1/commit", BYTES_ARRAY(cipher->context), &commit));
    memcpy(cipher->commit, secret_bytes(commit).data, CHUNK_COMMIT_SIZE);
    return OK;
}

static struct status derive_key(const struct secret *dek, struct chunk_cipher *cipher)
{
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive1(dek, "triad/v1/enc", BYTES_ARRAY(cipher->context), &key));
    return aead_new(key, &cipher->aead);
}

/* expected is NULL for a writer. */
static struct status make(
    const struct secret *dek, const struct chunk_context *context, const uint8_t *expected,
    struct chunk_cipher **ret_cipher)
{
    OWNED(chunk_cipher) struct chunk_cipher *cipher = calloc(1, sizeof(*cipher));
    if (cipher == NULL) {
        return FAIL(NO_MEMORY, "chunk cipher");
    }
    TRY(derive_commit(dek, context, cipher));
    if (expected != NULL && CRYPTO_memcmp(expected, cipher->commit, CHUNK_COMMIT_SIZE) != 0) {
        return FAIL(CORRUPT, "chunk's commitment does not fit its key and context");
    }
    TRY(derive_key(dek, cipher));
    *ret_cipher = TAKE(cipher);
    return OK;
}

struct status chunk_cipher_new(
    const struct secret *dek, const struct chunk_context *context, struct chunk_cipher **ret_cipher)
{
    return make(dek, context, NULL, ret_cipher);
}

struct status chunk_cipher_new_checked(
    const struct secret *dek, const struct chunk_context *context,
    const uint8_t commit[CHUNK_COMMIT_SIZE], struct chunk_cipher **ret_cipher)
{
    CHECK(commit != NULL);
    return make(dek, context, commit, ret_cipher);
}

void chunk_cipher_free(struct chunk_cipher *cipher)
{
    if (cipher != NULL) {
        aead_free(cipher->aead);
        free(cipher);
    }
}

const uint8_t *chunk_cipher_commit(const struct chunk_cipher *cipher)
{
    return cipher->commit;
}

static void make_iv(const struct chunk_shape *shape, uint32_t block, uint8_t *iv)
{
    memset(iv, 0, AEAD_IV_SIZE);
    iv[IV_LAST_AT] = block + 1 == chunk_shape_blocks(shape);
    encode_u32(iv + IV_BLOCK_AT, block);
}

/* Bytes of block that are plaintext and not padding. */
static uint32_t plain_size(const struct chunk_shape *shape, uint32_t block)
{
    uint32_t begin = block * shape->block_len;
    uint32_t size = chunk_shape_block_size(shape, block);
    uint32_t rest = begin < shape->plain_len ? shape->plain_len - begin : 0;
    return rest < size ? rest : size;
}

struct status chunk_cipher_seal(struct chunk_cipher *cipher, uint8_t *sealed)
{
    const struct chunk_shape *shape = &cipher->shape;
    uint32_t blocks = chunk_shape_blocks(shape);
    for (uint32_t block = 0; block < blocks; block++) {
        uint8_t *slot = sealed + chunk_shape_offset(shape, block);
        uint32_t size = chunk_shape_block_size(shape, block);
        uint32_t plain = plain_size(shape, block);
        uint8_t iv[AEAD_IV_SIZE];
        memset(slot + plain, 0, size - plain);
        make_iv(shape, block, iv);
        TRY(aead_seal(cipher->aead, iv, BYTES_ARRAY(cipher->context), slot, size, slot + size));
    }
    return OK;
}

struct status chunk_cipher_open_block(struct chunk_cipher *cipher, uint32_t block, uint8_t *slot)
{
    const struct chunk_shape *shape = &cipher->shape;
    CHECK(block < chunk_shape_blocks(shape));
    uint32_t size = chunk_shape_block_size(shape, block);
    uint8_t iv[AEAD_IV_SIZE];
    make_iv(shape, block, iv);
    if (MUTANT_NO_BLOCK_TAG) { /* GCM's other direction: the same bytes, and a new tag. */
        return aead_seal(cipher->aead, iv, BYTES_ARRAY(cipher->context), slot, size, slot + size);
    }
    TRY(aead_open(cipher->aead, iv, BYTES_ARRAY(cipher->context), slot, size, slot + size));
    uint8_t any = 0;
    for (uint32_t i = plain_size(shape, block); i < size; i++) {
        any |= slot[i];
    }
    if (any != 0) {
        OPENSSL_cleanse(slot, size);
        return FAIL(CORRUPT, "padding of a chunk is not zero");
    }
    return OK;
}
