#include "lib/s3/uri_code.h"

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void uri_code_encode(struct buffer *buffer, struct bytes bytes, bool keep_slash)
{
    static const char HEX[] = "0123456789ABCDEF";
    size_t plain = 0; /* Where the run of bytes that stay began. */
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (is_unreserved(byte) || (keep_slash && byte == '/')) {
            continue;
        }
        const char code[3] = {'%', HEX[byte >> 4], HEX[byte & 15]};
        buffer_add(buffer, bytes_slice(bytes, plain, i - plain));
        buffer_add(buffer, bytes_of(code, sizeof(code)));
        plain = i + 1;
    }
    if (bytes.size > plain) {
        buffer_add(buffer, bytes_from(bytes, plain));
    }
}

/* The value of a hexadecimal digit; 16 for anything else. */
static unsigned digit_of(uint8_t character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10u;
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10u;
    }
    return 16;
}

static bool needs_decoding(struct bytes text, bool plus_is_space)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '%' || (plus_is_space && text.data[i] == '+')) {
            return true;
        }
    }
    return false;
}

struct status
uri_code_decode(struct arena *arena, struct bytes text, bool plus_is_space, struct bytes *ret_bytes)
{
    if (!needs_decoding(text, plus_is_space)) {
        *ret_bytes = text;
        return OK;
    }
    uint8_t *to = arena_alloc(arena, text.size);
    if (to == NULL) {
        return FAIL(NO_MEMORY, "decoded text");
    }
    size_t done = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            if (text.size - i < 3) {
                return FAIL(INVALID, "percent-encoding is cut off");
            }
            unsigned high = digit_of(text.data[i + 1]);
            unsigned low = digit_of(text.data[i + 2]);
            if (high > 15 || low > 15) {
                return FAIL(INVALID, "percent-encoding is not hexadecimal");
            }
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        to[done++] = byte;
    }
    *ret_bytes = bytes_of(to, done);
    return OK;
}

bool uri_code_is_canonical(struct bytes text, bool keep_slash)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (is_unreserved(byte) || (keep_slash && byte == '/')) {
            continue;
        }
        if (byte != '%' || text.size - i < 3) {
            return false;
        }
        unsigned high = digit_of(text.data[i + 1]);
        unsigned low = digit_of(text.data[i + 2]);
        bool is_lower = text.data[i + 1] >= 'a' || text.data[i + 2] >= 'a';
        if (high > 15 || low > 15 || is_lower) {
            return false;
        }
        uint8_t decoded = (uint8_t)(high << 4 | low);
        if (is_unreserved(decoded) || (keep_slash && decoded == '/')) {
            return false;
        }
        i += 2;
    }
    return true;
}
