#include "lib/base/buffer.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_FIRST = 256 };

void buffer_init(struct buffer *buffer, size_t limit)
{
    *buffer = (struct buffer){.limit = limit};
}

void buffer_done(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer, buffer->limit);
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = STATUS_OK;
}

static bool grow(struct buffer *buffer, size_t needed)
{
    size_t capacity = buffer->capacity == 0 ? BUFFER_FIRST : buffer->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity > buffer->limit) {
        capacity = buffer->limit;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = STATUS_NO_MEMORY;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

uint8_t *buffer_extend(struct buffer *buffer, size_t count)
{
    if (buffer->failed != STATUS_OK) {
        return NULL;
    }
    CHECK(buffer->size <= buffer->limit);
    if (count > buffer->limit - buffer->size) {
        buffer->failed = STATUS_TOO_LARGE;
        return NULL;
    }
    size_t needed = buffer->size + count;
    if ((buffer->data == NULL || needed > buffer->capacity) && !grow(buffer, needed)) {
        return NULL;
    }
    uint8_t *room = buffer->data + buffer->size;
    buffer->size = needed;
    return room;
}

void buffer_add(struct buffer *buffer, struct bytes bytes)
{
    uint8_t *room = bytes.size == 0 ? NULL : buffer_extend(buffer, bytes.size);
    if (room != NULL) {
        memcpy(room, bytes.data, bytes.size);
    }
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, bytes_text(text));
}

void buffer_add_zeros(struct buffer *buffer, size_t count)
{
    uint8_t *room = count == 0 ? NULL : buffer_extend(buffer, count);
    if (room != NULL) {
        memset(room, 0, count);
    }
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    /* vsnprintf writes a NUL, which is then taken back. */
    uint8_t *room = buffer_extend(buffer, (size_t)size + 1);
    if (room == NULL) {
        return;
    }
    va_start(arguments, format);
    vsnprintf((char *)room, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size--;
}

void buffer_add_u8(struct buffer *buffer, uint8_t value)
{
    buffer_add(buffer, bytes_of(&value, 1));
}

void buffer_add_u16(struct buffer *buffer, uint16_t value)
{
    uint8_t encoded[2];
    encode_u16(encoded, value);
    buffer_add(buffer, BYTES_ARRAY(encoded));
}

void buffer_add_u32(struct buffer *buffer, uint32_t value)
{
    uint8_t encoded[4];
    encode_u32(encoded, value);
    buffer_add(buffer, BYTES_ARRAY(encoded));
}

void buffer_add_u48(struct buffer *buffer, uint64_t value)
{
    uint8_t encoded[6];
    encode_u48(encoded, value);
    buffer_add(buffer, BYTES_ARRAY(encoded));
}

void buffer_add_u64(struct buffer *buffer, uint64_t value)
{
    uint8_t encoded[8];
    encode_u64(encoded, value);
    buffer_add(buffer, BYTES_ARRAY(encoded));
}

struct status buffer_status(const struct buffer *buffer)
{
    if (buffer->failed == STATUS_NO_MEMORY) {
        return FAIL(NO_MEMORY, "grow buffer");
    }
    if (buffer->failed != STATUS_OK) {
        return FAIL(TOO_LARGE, "buffer limit reached");
    }
    return OK;
}
