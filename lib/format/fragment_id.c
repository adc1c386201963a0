/*
 * frag_id16  = AES-256(IDK_account, chunk_id14 | copy u8 | 5A)
 * frag_tag16 = GMAC-AES-256, key D(IK_v, "triad/v1/frag", chunk_id14), iv = 0^8 | u32 index
 */

#include "lib/base/encode.h"
#include "lib/crypto/kdf.h"
#include "lib/format/ids.h"

enum { FRAGMENT_COPY_AT = 14, FRAGMENT_MARK_AT = 15, FRAGMENT_MARK = 0x5a };

struct status fragment_id(
    const struct secret *account_key, const struct chunk_id *chunk, uint8_t copy,
    uint8_t ret_id[FRAGMENT_ID_SIZE])
{
    uint8_t block[FRAGMENT_ID_SIZE];
    memcpy(block, chunk->bytes, CHUNK_ID_SIZE);
    block[FRAGMENT_COPY_AT] = copy;
    block[FRAGMENT_MARK_AT] = FRAGMENT_MARK;
    return aead_block_encrypt(account_key, block, ret_id);
}

struct status fragment_id_decode(
    const struct secret *account_key, const uint8_t id[FRAGMENT_ID_SIZE],
    struct chunk_id *ret_chunk, uint8_t *ret_copy)
{
    uint8_t block[FRAGMENT_ID_SIZE];
    TRY(aead_block_decrypt(account_key, id, block));
    if (block[FRAGMENT_MARK_AT] != FRAGMENT_MARK) {
        return FAIL(CORRUPT, "fragment id is not one of this account");
    }
    memcpy(ret_chunk->bytes, block, CHUNK_ID_SIZE);
    *ret_copy = block[FRAGMENT_COPY_AT];
    return OK;
}

struct status fragment_tagger_new(
    const struct secret *integrity_key, const struct chunk_id *chunk, struct aead **ret_tagger)
{
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive1(integrity_key, "triad/v1/frag", BYTES_ARRAY(chunk->bytes), &key));
    return aead_new(key, ret_tagger);
}

struct status fragment_tagger_tag(
    struct aead *tagger, uint32_t index, const struct bytes *parts, size_t count,
    uint8_t ret_tag[FRAGMENT_TAG_SIZE])
{
    uint8_t iv[AEAD_IV_SIZE] = {0};
    encode_u32(iv + AEAD_IV_SIZE - 4, index);
    return aead_gmac(tagger, iv, parts, count, ret_tag);
}

struct status fragment_tag(
    const struct secret *integrity_key, const struct chunk_id *chunk, uint32_t index,
    const struct bytes *parts, size_t count, uint8_t ret_tag[FRAGMENT_TAG_SIZE])
{
    OWNED(aead) struct aead *tagger = NULL;
    TRY(fragment_tagger_new(integrity_key, chunk, &tagger));
    return fragment_tagger_tag(tagger, index, parts, count, ret_tag);
}
