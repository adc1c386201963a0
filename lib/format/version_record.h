#pragma once

/*
 * The version record of FORMATS 5 (200 bytes), its MAC, the key reference and segments.
 * It binds a name and a version to data; only who has FK can make or check the MAC.
 */

#include "lib/base/buffer.h"
#include "lib/format/ids.h"

enum {
    VERSION_RECORD_SIZE = 200,
    VERSION_MAC_SIZE = 32,
    VERSION_OPEN_UPLOAD = 1,
    VERSION_MULTIPART = 2,
    VERSION_INLINE = 4,
    VERSION_SSE_C = 8,
    SEGMENT_SIZE = 96,
    SEGMENT_PAGE_MAX = 64 * 1024,
};

struct version_record {
    uint16_t flags;
    struct id16 tenant;
    struct id16 bucket;
    uint8_t name_hash[32];
    struct id16 version;
    struct id16 data;
    struct content content; /* Zero when segments > 0. */
    uint64_t created_ms;
    uint64_t size;
    uint32_t segments; /* 0: one, implied by content. */
    uint64_t chunks;
    uint8_t attr_sha256[32];
    uint8_t etag[16]; /* Masked: see attributes.h. */
    uint32_t etag_parts;
};

void version_record_encode(const struct version_record *record, uint8_t ret[VERSION_RECORD_SIZE]);

/* Exactly 200 bytes; CORRUPT names the field. Reserved bytes and unknown flags are refused. */
MUST_CHECK struct status
version_record_decode(struct bytes encoded, struct version_record *ret_record);

/* HMAC-SHA-256(D(FK, "triad/v1/version", data16), record). */
MUST_CHECK struct status version_record_mac(
    const struct secret *object_key, const struct id16 *data, struct bytes encoded,
    uint8_t ret_mac[VERSION_MAC_SIZE]);

/* CORRUPT unless mac fits, in constant time. */
MUST_CHECK struct status version_record_verify(
    const struct secret *object_key, const struct id16 *data, struct bytes encoded,
    struct bytes mac);

/* key_ref: kind u8 | alg u8 | len u16 | bk_ver u32 | bytes. */
struct key_ref {
    uint8_t kind; /* 1: bucket key. */
    uint8_t alg;  /* 1: KW. */
    uint32_t bk_ver;
    struct bytes wrapped; /* Borrowed. */
};
void key_ref_encode(struct buffer *to, const struct key_ref *ref);
MUST_CHECK struct status key_ref_decode(struct bytes encoded, struct key_ref *ret_ref);

/* One segment (96 bytes) of a multipart object. */
struct segment_entry {
    struct id16 data;
    struct content content;
    uint32_t part;
    uint32_t first_index;
    uint32_t chunks;
    uint64_t skip;
    uint64_t len;
    uint8_t link[40];
};
void segment_entry_encode(struct buffer *to, const struct segment_entry *segment);
MUST_CHECK struct status
segment_entry_decode(struct bytes encoded, struct segment_entry *ret_segment);

/* MAC of a page of segments under D(FK, "triad/v1/seg", version16 u32 page), appended to it. */
MUST_CHECK struct status segment_page_seal(
    const struct secret *object_key, const struct id16 *version, uint32_t page,
    struct buffer *entries);
/* Check it; ret_entries is the page without its MAC. */
MUST_CHECK struct status segment_page_verify(
    const struct secret *object_key, const struct id16 *version, uint32_t page, struct bytes sealed,
    struct bytes *ret_entries);
