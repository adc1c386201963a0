#include "lib/s3/bucket_name.h"

static bool is_letter_or_digit(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

static bool ends_with(struct bytes name, const char *suffix)
{
    struct bytes end = bytes_text(suffix);
    return name.size >= end.size && bytes_equal(bytes_from(name, name.size - end.size), end);
}

/* Four numbers with dots between: it would read as an address in a host name. */
static bool looks_like_address(struct bytes name)
{
    size_t dots = 0;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '.') {
            dots++;
        } else if (name.data[i] < '0' || name.data[i] > '9') {
            return false;
        }
    }
    return dots == 3;
}

static bool is_reserved(struct bytes name)
{
    return bytes_starts_with(name, bytes_text("xn--")) ||
           bytes_starts_with(name, bytes_text("sthree-")) ||
           bytes_starts_with(name, bytes_text("amzn-s3-demo-")) || ends_with(name, "-s3alias") ||
           ends_with(name, "--ol-s3") || ends_with(name, ".mrap") || ends_with(name, "--x-s3");
}

bool bucket_name_is_valid(struct bytes name)
{
    if (name.size < BUCKET_NAME_MIN || name.size > BUCKET_NAME_MAX) {
        return false;
    }
    if (!is_letter_or_digit(name.data[0]) || !is_letter_or_digit(name.data[name.size - 1])) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = name.data[i];
        if (!is_letter_or_digit(byte) && byte != '.' && byte != '-') {
            return false;
        }
        if (byte == '.' &&
            (name.data[i - 1] == '.' || name.data[i - 1] == '-' || name.data[i + 1] == '-')) {
            return false;
        }
    }
    return !looks_like_address(name) && !is_reserved(name);
}

bool bucket_name_key_is_valid(struct bytes key)
{
    return key.size >= 1 && key.size <= BUCKET_NAME_KEY_MAX &&
           memchr(key.data, '\0', key.size) == NULL;
}
