#include "frontend/upload_kept.h"

#include "lib/base/check.h"

#include <string.h>

void upload_kept_append(
    struct upload_kept *kept, struct chunk_buffer **take_buffer, const struct chunk_shape *shape)
{
    CHECK(kept->count < UPLOAD_KEPT_MAX);
    kept->buffers[kept->count] = TAKE(*take_buffer);
    kept->shapes[kept->count] = *shape;
    kept->count++;
}

void upload_kept_prepend(
    struct upload_kept *kept, struct chunk_buffer **take_buffer, const struct chunk_shape *shape)
{
    CHECK(kept->count < UPLOAD_KEPT_MAX && kept->given == 0);
    for (unsigned i = kept->count; i > 0; i--) {
        kept->buffers[i] = kept->buffers[i - 1];
        kept->shapes[i] = kept->shapes[i - 1];
    }
    kept->buffers[0] = TAKE(*take_buffer);
    kept->shapes[0] = *shape;
    kept->count++;
}

static void drop_first(struct upload_kept *kept)
{
    chunk_buffer_unref(kept->buffers[0]);
    kept->count--;
    for (unsigned i = 0; i < kept->count; i++) {
        kept->buffers[i] = kept->buffers[i + 1];
        kept->shapes[i] = kept->shapes[i + 1];
    }
    kept->given = 0;
}

/* Bytes from the block that the first buffer stands at. */
static uint32_t read_block(struct upload_kept *kept, uint8_t *to, uint32_t size)
{
    const struct chunk_shape *shape = &kept->shapes[0];
    uint32_t block = kept->given / shape->block_len;
    uint32_t offset = kept->given % shape->block_len;
    uint32_t left = shape->plain_len - kept->given;
    uint32_t here = shape->block_len - offset < left ? shape->block_len - offset : left;
    uint32_t part = size < here ? size : here;
    memcpy(
        to, chunk_buffer_data(kept->buffers[0]) + chunk_shape_offset(shape, block) + offset, part);
    kept->given += part;
    if (kept->given == shape->plain_len) {
        drop_first(kept);
    }
    return part;
}

uint32_t upload_kept_read(struct upload_kept *kept, uint8_t *to, uint32_t size)
{
    uint32_t got = 0;
    while (got < size && kept->count > 0) {
        got += read_block(kept, to + got, size - got);
    }
    return got;
}

void upload_kept_done(struct upload_kept *kept)
{
    while (kept->count > 0) {
        drop_first(kept);
    }
}
