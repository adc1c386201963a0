#pragma once

/*
 * Sealed attributes and masked ETags, FORMATS 5: Content-Type, user metadata, checksums and MD5
 * are oracles on the plaintext, so the content DB only sees them under the bucket's attribute key.
 */

#include "lib/base/arena.h"
#include "lib/base/buffer.h"
#include "lib/format/ids.h"

/* ATTRIBUTES_MAX bounds the sealed blob. */
enum { ATTRIBUTES_MAX = 16 * 1024, ATTRIBUTE_COUNT_MAX = 128 };

struct attribute {
    struct bytes name;
    struct bytes value;
};

/* Append salt16 | iv12 | ciphertext | tag16; sorts attributes by name. An empty list appends
 * nothing. */
MUST_CHECK struct status attributes_seal(
    const struct secret *attribute_key, const struct id16 *tenant, const struct id16 *bucket,
    const struct id16 *version, struct attribute *attributes, size_t count, struct buffer *sealed);

/* Open into arena. An empty blob is an empty list. */
MUST_CHECK struct status attributes_open(
    const struct secret *attribute_key, const struct id16 *tenant, const struct id16 *bucket,
    const struct id16 *version, struct bytes sealed, struct arena *arena,
    struct attribute **ret_attributes, size_t *ret_count);

/* MD5 XOR AES-256(D(AK, "triad/v1/etag", bucket16), version16); its own inverse. */
MUST_CHECK struct status etag_mask(
    const struct secret *attribute_key, const struct id16 *bucket, const struct id16 *version,
    uint8_t etag[16]);

/* Of a part: MD5 XOR AES-256(D(AK, "triad/v1/petag", bucket16), content10 | part u32 | 0^2). */
MUST_CHECK struct status etag_mask_part(
    const struct secret *attribute_key, const struct id16 *bucket, const struct content *content,
    uint32_t part, uint8_t etag[16]);
