#pragma once

/*
 * Plaintext of an upload that was read from its client once, and is read again because its chunks
 * have to be sealed anew: up to two chunks, in the block slots of chunk buffers. One thread.
 */

#include "frontend/chunk_pool.h"
#include "lib/crypto/chunk_cipher.h"

enum { UPLOAD_KEPT_MAX = 2 };

struct upload_kept {
    struct chunk_buffer *buffers[UPLOAD_KEPT_MAX]; /* Owned. */
    struct chunk_shape shapes[UPLOAD_KEPT_MAX];
    unsigned count;
    uint32_t given; /* Bytes of the first. */
};

/* Behind what is kept. */
void upload_kept_append(
    struct upload_kept *kept, struct chunk_buffer **take_buffer, const struct chunk_shape *shape);
/* Before what is kept, of which nothing was given yet. */
void upload_kept_prepend(
    struct upload_kept *kept, struct chunk_buffer **take_buffer, const struct chunk_shape *shape);

/* The next bytes, at most size; a buffer is given back with its last byte. Returns how many. */
uint32_t upload_kept_read(struct upload_kept *kept, uint8_t *to, uint32_t size);

void upload_kept_done(struct upload_kept *kept);
