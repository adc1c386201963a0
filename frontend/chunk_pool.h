#pragma once

/*
 * The memory of chunks on their way: a fixed number of buffers in two sizes, made at start. It is
 * the frontend's admission control: a request that gets none in time answers SlowDown.
 *
 * A buffer is counted: by the request that fills it and by each slice of it that gRPC holds. It
 * goes back only when all of them let go. Waiting requests are served in order. Any thread;
 * chunk_buffer_unref never blocks for long, so that a gRPC thread may call it.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_pool;
struct chunk_buffer;

struct chunk_pool_options {
    size_t small_size; /* Bytes of a small buffer. */
    unsigned small_count;
    size_t large_size;
    unsigned large_count;
};

MUST_CHECK struct status
chunk_pool_new(const struct chunk_pool_options *options, struct chunk_pool **ret_pool);

/* Every buffer was given back. */
void chunk_pool_free(struct chunk_pool *pool);

/* A buffer of at least size bytes, with one reference: BUSY when none came free until deadline_ms
 * (clock_monotonic_ms; 0: do not wait), TOO_LARGE for a size that no buffer has. */
MUST_CHECK struct status chunk_pool_take(
    struct chunk_pool *pool, size_t size, int64_t deadline_ms, struct chunk_buffer **ret_buffer);

/* Buffers in use now, small and large together. */
unsigned chunk_pool_used(struct chunk_pool *pool);

uint8_t *chunk_buffer_data(struct chunk_buffer *buffer);
size_t chunk_buffer_size(const struct chunk_buffer *buffer);
struct chunk_buffer *chunk_buffer_ref(struct chunk_buffer *buffer);
/* Give a reference back; NULL is allowed. */
void chunk_buffer_unref(struct chunk_buffer *buffer);

/* The same as an OWNED release. */
static inline void chunk_buffer_free(struct chunk_buffer *buffer)
{
    chunk_buffer_unref(buffer);
}

DEFINE_OWNED(chunk_pool)
DEFINE_OWNED(chunk_buffer)
