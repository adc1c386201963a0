/*
 * etag16 = MD5 XOR AES-256(D(AK, "triad/v1/etag", bucket16), version16)
 * part   = MD5 XOR AES-256(D(AK, "triad/v1/petag", bucket16), content10 | part u32 | 0^2)
 */

#include "lib/base/encode.h"
#include "lib/crypto/aead.h"
#include "lib/crypto/kdf.h"
#include "lib/format/attributes.h"

static struct status mask(
    const struct secret *attribute_key, const char *label, const struct id16 *bucket,
    const uint8_t *block, uint8_t *etag)
{
    uint8_t pad[ID16_SIZE];
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive1(attribute_key, label, id16_view(bucket), &key));
    TRY(aead_block_encrypt(key, block, pad));
    for (size_t i = 0; i < ID16_SIZE; i++) {
        etag[i] ^= pad[i];
    }
    return OK;
}

struct status etag_mask(
    const struct secret *attribute_key, const struct id16 *bucket, const struct id16 *version,
    uint8_t etag[16])
{
    return mask(attribute_key, "triad/v1/etag", bucket, version->bytes, etag);
}

struct status etag_mask_part(
    const struct secret *attribute_key, const struct id16 *bucket, const struct content *content,
    uint32_t part, uint8_t etag[16])
{
    uint8_t block[ID16_SIZE] = {0};
    memcpy(block, content->bytes, CONTENT_SIZE);
    encode_u32(block + CONTENT_SIZE, part);
    return mask(attribute_key, "triad/v1/petag", bucket, block, etag);
}
