#pragma once

/*
 * Percent-encoding as SigV4 and S3 want it: the unreserved characters A-Z a-z 0-9 - . _ ~ stay,
 * every other byte becomes %XX in upper case. Two texts are the same key if and only if their
 * encodings are the same bytes.
 */

#include "lib/base/arena.h"
#include "lib/base/buffer.h"

/* Append the encoding of bytes; with keep_slash a '/' stays as it is (paths and keys). */
void uri_code_encode(struct buffer *buffer, struct bytes bytes, bool keep_slash);

/*
 * Decode %XX of either case; with plus_is_space a '+' is a space (query strings). INVALID for a
 * '%' without two hexadecimal digits. The result lives in the arena, or is text itself where
 * nothing had to be decoded.
 */
MUST_CHECK struct status uri_code_decode(
    struct arena *arena, struct bytes text, bool plus_is_space, struct bytes *ret_bytes);

/* True if text is exactly what uri_code_encode makes of some bytes. */
bool uri_code_is_canonical(struct bytes text, bool keep_slash);
