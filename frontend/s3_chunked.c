#include "frontend/s3_chunked.h"

#include "lib/base/hex.h"

/* The next byte of a line. */
static struct status take_byte(struct s3_chunked *chunked, uint8_t *ret_byte)
{
    if (chunked->begin == chunked->end) {
        size_t got;
        TRY(http_body_read(chunked->body, chunked->buffer, sizeof(chunked->buffer), &got));
        if (got == 0) {
            return FAIL(CANCELLED, "the body ends inside its framing");
        }
        chunked->begin = 0;
        chunked->end = got;
    }
    *ret_byte = chunked->buffer[chunked->begin++];
    return OK;
}

/* A line without its CRLF. */
static struct status
take_line(struct s3_chunked *chunked, uint8_t line[S3_CHUNKED_LINE_MAX], struct bytes *ret_line)
{
    for (size_t size = 0;;) {
        uint8_t byte;
        TRY(take_byte(chunked, &byte));
        if (byte == '\n') {
            if (size == 0 || line[size - 1] != '\r') {
                return FAIL(INVALID, "a line of aws-chunked without CRLF");
            }
            *ret_line = bytes_of(line, size - 1);
            return OK;
        }
        if (size == S3_CHUNKED_LINE_MAX) {
            return FAIL(INVALID, "a line of aws-chunked is too long");
        }
        line[size++] = byte;
    }
}

/* Up to twelve hexadecimal digits. */
static struct status parse_size(struct bytes text, uint64_t *ret_size)
{
    uint8_t bytes[8] = {0};
    char padded[16];
    if (text.size == 0 || text.size > 12) {
        return FAIL(INVALID, "chunk size is empty or too long");
    }
    memset(padded, '0', sizeof(padded));
    memcpy(padded + sizeof(padded) - text.size, text.data, text.size);
    if (!hex_decode(bytes_of(padded, sizeof(padded)), bytes, sizeof(bytes))) {
        return FAIL(INVALID, "chunk size is not hexadecimal");
    }
    uint64_t size = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        size = size << 8 | bytes[i];
    }
    *ret_size = size;
    return OK;
}

static struct status begin_chunk(struct s3_chunked *chunked)
{
    static const char EXTENSION[] = ";chunk-signature=";
    uint8_t memory[S3_CHUNKED_LINE_MAX];
    struct bytes line;
    TRY(take_line(chunked, memory, &line));
    const uint8_t *end = line.size == 0 ? NULL : memchr(line.data, ';', line.size);
    size_t size = end == NULL ? line.size : (size_t)(end - line.data);
    struct bytes extension = bytes_from(line, size);
    TRY(parse_size(bytes_slice(line, 0, size), &chunked->chunk_left));
    chunked->is_in_chunk = true;
    if (!chunked->is_signed) {
        return extension.size == 0 ? OK : FAIL(INVALID, "an extension of an unsigned chunk");
    }
    if (!bytes_starts_with(extension, bytes_text(EXTENSION)) ||
        !hex_decode(
            bytes_from(extension, sizeof(EXTENSION) - 1), chunked->signature,
            sizeof(chunked->signature))) {
        return FAIL(INVALID, "a chunk without its signature");
    }
    return OK;
}

static struct status tell_chunk(struct s3_chunked *chunked)
{
    return chunked->events.on_chunk(
        chunked->events.context, chunked->is_signed ? chunked->signature : NULL);
}

static struct status end_chunk(struct s3_chunked *chunked)
{
    uint8_t memory[S3_CHUNKED_LINE_MAX];
    struct bytes line;
    TRY(take_line(chunked, memory, &line));
    if (line.size != 0) {
        return FAIL(INVALID, "a chunk is longer than its size");
    }
    chunked->is_in_chunk = false;
    return tell_chunk(chunked);
}

static struct status take_trailer(struct s3_chunked *chunked, struct bytes line)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon == NULL || !chunked->may_trail) {
        return FAIL(INVALID, "the trailer is not name:value");
    }
    size_t size = (size_t)(colon - line.data);
    struct bytes value = bytes_from(line, size + 1);
    while (value.size > 0 && value.data[0] == ' ') {
        value = bytes_from(value, 1);
    }
    return chunked->events.on_trailer(chunked->events.context, bytes_slice(line, 0, size), value);
}

/* Behind the chunk of size 0: the trailer, an empty line, and then nothing. */
static struct status finish(struct s3_chunked *chunked)
{
    TRY(tell_chunk(chunked));
    for (unsigned lines = 0;; lines++) {
        uint8_t memory[S3_CHUNKED_LINE_MAX];
        struct bytes line;
        TRY(take_line(chunked, memory, &line));
        if (line.size == 0) {
            break;
        }
        if (lines == S3_CHUNKED_TRAILERS_MAX) {
            return FAIL(INVALID, "the trailer is too long");
        }
        TRY(take_trailer(chunked, line));
    }
    size_t got = 0;
    if (chunked->begin == chunked->end) {
        TRY(http_body_read(chunked->body, chunked->buffer, 1, &got));
    }
    if (got > 0 || chunked->begin != chunked->end) {
        return FAIL(INVALID, "bytes behind the trailer");
    }
    chunked->is_finished = true;
    return OK;
}

static struct status read_data(struct s3_chunked *chunked, void *to, size_t size, size_t *ret_got)
{
    size = chunked->chunk_left < size ? (size_t)chunked->chunk_left : size;
    size_t buffered = chunked->end - chunked->begin;
    if (buffered > 0) {
        size = buffered < size ? buffered : size;
        memcpy(to, chunked->buffer + chunked->begin, size);
        chunked->begin += size;
        *ret_got = size;
    } else {
        TRY(http_body_read(chunked->body, to, size, ret_got));
        if (*ret_got == 0) {
            return FAIL(CANCELLED, "the body ends inside a chunk");
        }
    }
    chunked->chunk_left -= *ret_got;
    return OK;
}

struct status s3_chunked_read(struct s3_chunked *chunked, void *to, size_t size, size_t *ret_got)
{
    *ret_got = 0;
    while (!chunked->is_finished && size > 0) {
        if (chunked->is_in_chunk && chunked->chunk_left > 0) {
            return read_data(chunked, to, size, ret_got);
        }
        if (chunked->is_in_chunk) {
            TRY(end_chunk(chunked));
        }
        TRY(begin_chunk(chunked));
        if (chunked->chunk_left == 0) {
            TRY(finish(chunked));
        }
    }
    return OK;
}
