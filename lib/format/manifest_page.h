#pragma once

/*
 * A manifest page, FORMATS 5: up to 128 rows of one part, MACed under a key that FK gives.
 * Drawn in manifest_page.c. Rows are contiguous: first_off is the offset of row 0 in the part.
 */

#include "lib/base/buffer.h"
#include "lib/format/ids.h"

enum {
    MANIFEST_ROWS_MAX = 128,
    MANIFEST_HEAD_SIZE = 60,
    MANIFEST_MAC_SIZE = 32,
    MANIFEST_TAG_ALG_GMAC = 1,
    MANIFEST_PAGE_MAX = 64 * 1024,
};

struct manifest_row {
    struct chunk_id chunk;
    uint16_t suite;
    struct chunk_shape shape;
    uint8_t commit[CHUNK_COMMIT_SIZE];
    uint8_t wrapped_dek[40];
    const uint8_t *tags; /* (k+m) x 16 bytes, borrowed. */
};

struct manifest_head {
    uint16_t rows;
    struct id16 data;
    struct content content;
    uint32_t part;
    uint32_t page;
    uint64_t first_off;
    uint16_t ik_ver;
    uint8_t tag_alg;
    uint8_t k;
    uint8_t m;
};

/* Append the head with rows = 0 .. the caller adds rows, then manifest_page_seal. */
void manifest_page_begin(struct buffer *page, const struct manifest_head *head);
void manifest_page_add(struct buffer *page, const struct manifest_row *row, unsigned fragments);

/* Write the final row count and append the MAC under D(FK, "triad/v1/page", data16). */
MUST_CHECK struct status
manifest_page_seal(struct buffer *page, uint16_t rows, const struct secret *object_key);

/* Read the head (no MAC is checked): for contentdb and the steward, which hold no FK. INVALID or
 * CORRUPT names the field. */
MUST_CHECK struct status manifest_page_head(struct bytes page, struct manifest_head *ret_head);

/* Row index of a page whose head was read; its tags point into page. */
MUST_CHECK struct status manifest_page_row(
    struct bytes page, const struct manifest_head *head, uint32_t index,
    struct manifest_row *ret_row);

/* Check the MAC, constant time; CORRUPT otherwise. */
MUST_CHECK struct status manifest_page_verify(struct bytes page, const struct secret *object_key);

/* Bytes of plaintext that the page's rows hold. */
MUST_CHECK struct status manifest_page_length(struct bytes page, uint64_t *ret_length);

/* KW(D(FK, "triad/v1/dek", data16), DEK) and back. The kek is derived once a request. */
MUST_CHECK struct status
dek_kek(const struct secret *object_key, const struct id16 *data, struct secret **ret_kek);
