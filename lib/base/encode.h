#pragma once

/*
 * Big-endian integers in byte arrays, and a bounded reader.
 *
 * A reader never runs past its end: once a read did not fit, every later one yields zeros
 * and reader_failed() is true, so that a decoder checks once. The rule of FORMATS.md, that
 * lengths fit exactly, is reader_finish().
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

static inline void encode_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void encode_u32(uint8_t *to, uint32_t value)
{
    encode_u16(to, (uint16_t)(value >> 16));
    encode_u16(to + 2, (uint16_t)value);
}

static inline void encode_u48(uint8_t *to, uint64_t value)
{
    encode_u16(to, (uint16_t)(value >> 32));
    encode_u32(to + 2, (uint32_t)value);
}

static inline void encode_u64(uint8_t *to, uint64_t value)
{
    encode_u32(to, (uint32_t)(value >> 32));
    encode_u32(to + 4, (uint32_t)value);
}

static inline uint16_t decode_u16(const uint8_t *from)
{
    return (uint16_t)((from[0] << 8) | from[1]);
}

static inline uint32_t decode_u32(const uint8_t *from)
{
    return ((uint32_t)decode_u16(from) << 16) | decode_u16(from + 2);
}

static inline uint64_t decode_u48(const uint8_t *from)
{
    return ((uint64_t)decode_u16(from) << 32) | decode_u32(from + 2);
}

static inline uint64_t decode_u64(const uint8_t *from)
{
    return ((uint64_t)decode_u32(from) << 32) | decode_u32(from + 4);
}

struct reader {
    struct bytes rest;
    bool failed;
};

static inline struct reader reader_of(struct bytes bytes)
{
    return (struct reader){.rest = bytes};
}

/* The next size bytes; an empty view after a failure. */
static inline struct bytes reader_take(struct reader *reader, size_t size)
{
    if (reader->failed || size > reader->rest.size) {
        reader->failed = true;
        return bytes_of(NULL, 0);
    }
    struct bytes taken = bytes_of(reader->rest.data, size);
    reader->rest = bytes_of(reader->rest.data + size, reader->rest.size - size);
    return taken;
}

/* Copy the next size bytes; zeros after a failure. */
static inline void reader_copy(struct reader *reader, void *to, size_t size)
{
    struct bytes taken = reader_take(reader, size);
    if (taken.data == NULL) {
        memset(to, 0, size);
        return;
    }
    memcpy(to, taken.data, size);
}

static inline uint8_t reader_u8(struct reader *reader)
{
    struct bytes taken = reader_take(reader, 1);
    return taken.size == 0 ? 0 : taken.data[0];
}

static inline uint16_t reader_u16(struct reader *reader)
{
    struct bytes taken = reader_take(reader, 2);
    return taken.size == 0 ? 0 : decode_u16(taken.data);
}

static inline uint32_t reader_u32(struct reader *reader)
{
    struct bytes taken = reader_take(reader, 4);
    return taken.size == 0 ? 0 : decode_u32(taken.data);
}

static inline uint64_t reader_u48(struct reader *reader)
{
    struct bytes taken = reader_take(reader, 6);
    return taken.size == 0 ? 0 : decode_u48(taken.data);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    struct bytes taken = reader_take(reader, 8);
    return taken.size == 0 ? 0 : decode_u64(taken.data);
}

/* A field that must be all zeros: anything else fails the reader. */
static inline void reader_zeros(struct reader *reader, size_t size)
{
    struct bytes taken = reader_take(reader, size);
    for (size_t i = 0; i < taken.size; i++) {
        if (taken.data[i] != 0) {
            reader->failed = true;
        }
    }
}

static inline bool reader_failed(const struct reader *reader)
{
    return reader->failed;
}

/* True if everything fitted and nothing is left over. */
static inline bool reader_finish(const struct reader *reader)
{
    return !reader->failed && reader->rest.size == 0;
}
