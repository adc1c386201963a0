/*
 * Arithmetic of a sealed chunk, FORMATS 3: block b lies at b x (block_len + 16), and all blocks but
 * the last have block_len bytes.
 *
 *   block_len = min(64 KiB, ceil(ceil(plain_len / k) / 4 KiB) x 4 KiB)
 */

#include "lib/base/check.h"
#include "lib/crypto/chunk_cipher.h"

enum { BLOCK_UNIT = 4096 };

struct chunk_shape chunk_shape_choose(uint32_t plain_len, unsigned k)
{
    CHECK(plain_len >= 1 && plain_len <= CHUNK_PLAIN_MAX);
    CHECK(k >= 1 && k <= CHUNK_PLAIN_MAX);
    uint32_t share = (plain_len + k - 1) / k;
    uint32_t rounded = (share + BLOCK_UNIT - 1) / BLOCK_UNIT * BLOCK_UNIT;
    return (struct chunk_shape){
        .plain_len = plain_len,
        .padded_len = plain_len,
        .block_len = rounded < CHUNK_BLOCK_MAX ? rounded : CHUNK_BLOCK_MAX,
    };
}

struct status chunk_shape_check(const struct chunk_shape *shape)
{
    if (shape->plain_len < 1 || shape->plain_len > CHUNK_PLAIN_MAX) {
        return FAIL(INVALID, "plain_len of a chunk");
    }
    if (shape->padded_len < shape->plain_len || shape->padded_len > CHUNK_PLAIN_MAX) {
        return FAIL(INVALID, "padded_len of a chunk");
    }
    if (shape->block_len == 0 || shape->block_len > CHUNK_BLOCK_MAX ||
        shape->block_len % BLOCK_UNIT != 0) {
        return FAIL(INVALID, "block_len of a chunk");
    }
    return OK;
}

uint32_t chunk_shape_blocks(const struct chunk_shape *shape)
{
    return (shape->padded_len + shape->block_len - 1) / shape->block_len;
}

uint32_t chunk_shape_block_size(const struct chunk_shape *shape, uint32_t block)
{
    CHECK(block < chunk_shape_blocks(shape));
    uint32_t rest = shape->padded_len - block * shape->block_len;
    return rest < shape->block_len ? rest : shape->block_len;
}

size_t chunk_shape_offset(const struct chunk_shape *shape, uint32_t block)
{
    return (size_t)block * (shape->block_len + CHUNK_TAG_SIZE);
}

size_t chunk_shape_sealed_size(const struct chunk_shape *shape)
{
    return (size_t)shape->padded_len + (size_t)chunk_shape_blocks(shape) * CHUNK_TAG_SIZE;
}
