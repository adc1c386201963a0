/*
 * frag_id16  = AES-256(IDK_account, chunk_id14 | copy u8 | 5A)
 * frag_tag16 = GMAC-AES-256, key D(IK_v, "triad/v1/frag", chunk_id14), iv = 0^8 | u32 index
 */

#include "lib/format/ids.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"

enum { LEASE_SIZE = 6, FRAGMENT_COPY_AT = 14, FRAGMENT_MARK_AT = 15, FRAGMENT_MARK = 0x5a };

struct content content_of(uint64_t lease, uint32_t upload_seq)
{
    struct content content;
    CHECK(lease >> 48 == 0);
    encode_u48(content.bytes, lease);
    encode_u32(content.bytes + LEASE_SIZE, upload_seq);
    return content;
}

uint64_t content_lease(const struct content *content)
{
    return decode_u48(content->bytes);
}

struct chunk_id chunk_id_of(const struct content *content, uint32_t n)
{
    struct chunk_id id;
    memcpy(id.bytes, content->bytes, CONTENT_SIZE);
    encode_u32(id.bytes + CONTENT_SIZE, n);
    return id;
}

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

struct status object_name_hash(const struct id16 *bucket, struct bytes key, uint8_t ret_hash[32])
{
    static const char label[] = "triad/v1/name"; /* Its NUL separates it. */
    struct bytes parts[] = {BYTES_ARRAY(label), id16_view(bucket), key};
    return digest_sha256(parts, 3, ret_hash);
}
