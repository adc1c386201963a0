#include "lib/s3/base64.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes bytes, char *text)
{
    size_t i = 0;
    for (; bytes.size - i >= 3; i += 3) {
        const uint8_t *from = bytes.data + i;
        *text++ = ALPHABET[from[0] >> 2];
        *text++ = ALPHABET[(from[0] & 3) << 4 | from[1] >> 4];
        *text++ = ALPHABET[(from[1] & 15) << 2 | from[2] >> 6];
        *text++ = ALPHABET[from[2] & 63];
    }
    size_t left = bytes.size - i;
    if (left > 0) {
        uint8_t first = bytes.data[i];
        uint8_t second = left == 2 ? bytes.data[i + 1] : 0;
        *text++ = ALPHABET[first >> 2];
        *text++ = ALPHABET[(first & 3) << 4 | second >> 4];
        *text++ = left == 2 ? ALPHABET[(second & 15) << 2] : '=';
        *text++ = '=';
    }
    *text = '\0';
}

/* The six bits of a character; 64 for one that is not in the alphabet. */
static unsigned value_of(uint8_t character)
{
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - 'a' + 26u;
    }
    if (character >= '0' && character <= '9') {
        return character - '0' + 52u;
    }
    if (character == '+') {
        return 62;
    }
    return character == '/' ? 63 : 64;
}

bool base64_decode(struct bytes text, uint8_t *to, size_t size)
{
    if (text.size != BASE64_SIZE(size)) {
        return false;
    }
    uint32_t bits = 0;
    unsigned count = 0;
    size_t done = 0;
    size_t digits = (size * 8 + 5) / 6;
    for (size_t i = 0; i < text.size; i++) {
        if (i >= digits) {
            if (text.data[i] != '=') {
                return false;
            }
            continue;
        }
        unsigned value = value_of(text.data[i]);
        if (value == 64) {
            return false;
        }
        bits = (bits << 6 | value) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            to[done++] = (uint8_t)(bits >> count);
        }
    }
    /* Bits left over are zero, or two texts would mean the same bytes. */
    return (bits & ((1u << count) - 1)) == 0;
}
