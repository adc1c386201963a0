#pragma once

/* Base64 with the standard alphabet and padding (RFC 4648, 4), both ways. */

#include "lib/base/bytes.h"

/* Characters that size bytes become, without a NUL. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* Write BASE64_SIZE(bytes.size) characters and a NUL to text. */
void base64_encode(struct bytes bytes, char *text);

/* Decode what must be exactly size bytes; false for anything but their one canonical encoding. */
bool base64_decode(struct bytes text, uint8_t *to, size_t size);
