#pragma once

/* Lower-case hexadecimal, both ways. */

#include "lib/base/bytes.h"

/* Write 2 * bytes.size characters and a NUL to text. */
void hex_encode(struct bytes bytes, char *text);

/* Decode exactly size bytes from 2 * size characters of either case; false for anything else. */
bool hex_decode(struct bytes text, uint8_t *to, size_t size);
