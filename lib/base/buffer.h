#pragma once

/*
 * Bytes that we own and that grow, up to a limit given at init.
 *
 * A buffer that failed to grow (no memory, or the limit) remembers it: later additions do
 * nothing, and buffer_status() tells once at the end. So a long encoding needs one check.
 * Not for key material: see lib/crypto/secret.h. Not safe for two threads.
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

#include <stdarg.h>

struct buffer {
    uint8_t *data; /* Owned. */
    size_t size;
    size_t capacity;
    size_t limit;
    enum status_code failed; /* STATUS_OK, NO_MEMORY or TOO_LARGE. */
};

/* An empty buffer that may grow to limit bytes. Nothing is allocated yet. */
void buffer_init(struct buffer *buffer, size_t limit);

/* Free the memory; the buffer may be used again as after buffer_init. NULL is not allowed. */
void buffer_done(struct buffer *buffer);

/* Forget the contents and the failure, keep the memory. */
void buffer_reset(struct buffer *buffer);

/* Append. */
void buffer_add(struct buffer *buffer, struct bytes bytes);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_zeros(struct buffer *buffer, size_t count);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append integers, big-endian. */
void buffer_add_u8(struct buffer *buffer, uint8_t value);
void buffer_add_u16(struct buffer *buffer, uint16_t value);
void buffer_add_u32(struct buffer *buffer, uint32_t value);
void buffer_add_u48(struct buffer *buffer, uint64_t value);
void buffer_add_u64(struct buffer *buffer, uint64_t value);

/* Room for count more bytes, appended uninitialised; NULL when it failed. */
uint8_t *buffer_extend(struct buffer *buffer, size_t count);

/* OK, or why an addition failed. */
MUST_CHECK struct status buffer_status(const struct buffer *buffer);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->data, buffer->size);
}

static inline void buffer_release(struct buffer *buffer)
{
    buffer_done(buffer);
}

/* BUFFER(name, limit); a local buffer freed at scope end. */
#define BUFFER(name, limit_)                                                                       \
    __attribute__((cleanup(buffer_release))) struct buffer name = {.limit = (limit_)}
