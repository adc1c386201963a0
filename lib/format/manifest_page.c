/*
 * A manifest page, big-endian:
 *
 *    0  "TPG1" | ver u16 | rows u16 | data16 | content10 | 0^2
 *   36  part u32 | page u32 | first_off u64 | ik_ver u16 | tag_alg u8 | k u8 | m u8 | 0^3
 *   60  rows of 100 + 16 x (k+m):
 *         chunk_id14 suite u16 plain_len u32 padded_len u32 block_len u32 commit32 wrapped_dek40
 *         frag_tag16 x (k+m)
 *  end  HMAC-SHA-256(D(FK, "triad/v1/page", data16), all before)
 */

#include "lib/format/manifest_page.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"

enum {
    PAGE_VERSION = 1,
    PAGE_ROWS_AT = 6,
    PAGE_DATA_AT = 8,
    ROW_FIXED_SIZE = 100,
    FRAGMENTS_MAX = 24,
};

static const char page_magic[4] = {'T', 'P', 'G', '1'};

static size_t row_size(unsigned fragments)
{
    return ROW_FIXED_SIZE + (size_t)fragments * FRAGMENT_TAG_SIZE;
}

void manifest_page_begin(struct buffer *page, const struct manifest_head *head)
{
    CHECK(page->size == 0);
    buffer_add(page, BYTES_ARRAY(page_magic));
    buffer_add_u16(page, PAGE_VERSION);
    buffer_add_u16(page, 0); /* manifest_page_seal knows it. */
    buffer_add(page, id16_view(&head->data));
    buffer_add(page, BYTES_ARRAY(head->content.bytes));
    buffer_add_zeros(page, 2);
    buffer_add_u32(page, head->part);
    buffer_add_u32(page, head->page);
    buffer_add_u64(page, head->first_off);
    buffer_add_u16(page, head->ik_ver);
    buffer_add_u8(page, head->tag_alg);
    buffer_add_u8(page, head->k);
    buffer_add_u8(page, head->m);
    buffer_add_zeros(page, 3);
}

void manifest_page_add(struct buffer *page, const struct manifest_row *row, unsigned fragments)
{
    buffer_add(page, BYTES_ARRAY(row->chunk.bytes));
    buffer_add_u16(page, row->suite);
    buffer_add_u32(page, row->shape.plain_len);
    buffer_add_u32(page, row->shape.padded_len);
    buffer_add_u32(page, row->shape.block_len);
    buffer_add(page, BYTES_ARRAY(row->commit));
    buffer_add(page, BYTES_ARRAY(row->wrapped_dek));
    buffer_add(page, bytes_of(row->tags, (size_t)fragments * FRAGMENT_TAG_SIZE));
}

static struct status page_mac(
    const struct secret *object_key, struct bytes data, struct bytes body,
    uint8_t ret_mac[MANIFEST_MAC_SIZE])
{
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive1(object_key, "triad/v1/page", data, &key));
    return digest_hmac(secret_bytes(key), &body, 1, ret_mac);
}

struct status
manifest_page_seal(struct buffer *page, uint16_t rows, const struct secret *object_key)
{
    TRY(buffer_status(page));
    CHECK(page->size >= MANIFEST_HEAD_SIZE && rows >= 1 && rows <= MANIFEST_ROWS_MAX);
    encode_u16(page->data + PAGE_ROWS_AT, rows);
    uint8_t mac[MANIFEST_MAC_SIZE];
    struct bytes data = bytes_of(page->data + PAGE_DATA_AT, ID16_SIZE);
    TRY(page_mac(object_key, data, buffer_bytes(page), mac));
    buffer_add(page, BYTES_ARRAY(mac));
    TRY(buffer_status(page));
    /* What we write we can read. */
    struct manifest_head head;
    return manifest_page_head(buffer_bytes(page), &head);
}

static struct status check_head(struct bytes page, const struct manifest_head *head)
{
    if (head->rows < 1 || head->rows > MANIFEST_ROWS_MAX) {
        return FAIL(CORRUPT, "rows of a manifest page");
    }
    if (head->tag_alg != MANIFEST_TAG_ALG_GMAC) {
        return FAIL(CORRUPT, "tag_alg of a manifest page");
    }
    if (head->k < 1 || head->k + head->m > FRAGMENTS_MAX) {
        return FAIL(CORRUPT, "k and m of a manifest page");
    }
    size_t rows_size = head->rows * row_size((unsigned)head->k + head->m);
    if (page.size != MANIFEST_HEAD_SIZE + rows_size + MANIFEST_MAC_SIZE) {
        return FAIL(CORRUPT, "length of a manifest page");
    }
    return OK;
}

struct status manifest_page_head(struct bytes page, struct manifest_head *ret_head)
{
    struct reader reader = reader_of(page);
    struct manifest_head head = {0};
    if (!bytes_equal(reader_take(&reader, sizeof(page_magic)), BYTES_ARRAY(page_magic))) {
        return FAIL(CORRUPT, "magic of a manifest page");
    }
    if (reader_u16(&reader) != PAGE_VERSION) {
        return FAIL(CORRUPT, "version of a manifest page");
    }
    head.rows = reader_u16(&reader);
    reader_copy(&reader, head.data.bytes, ID16_SIZE);
    reader_copy(&reader, head.content.bytes, CONTENT_SIZE);
    reader_zeros(&reader, 2);
    head.part = reader_u32(&reader);
    head.page = reader_u32(&reader);
    head.first_off = reader_u64(&reader);
    head.ik_ver = reader_u16(&reader);
    head.tag_alg = reader_u8(&reader);
    head.k = reader_u8(&reader);
    head.m = reader_u8(&reader);
    reader_zeros(&reader, 3);
    if (reader_failed(&reader)) {
        return FAIL(CORRUPT, "head of a manifest page");
    }
    TRY(check_head(page, &head));
    *ret_head = head;
    return OK;
}

struct status manifest_page_row(
    struct bytes page, const struct manifest_head *head, uint32_t index,
    struct manifest_row *ret_row)
{
    if (index >= head->rows) {
        return FAIL(INVALID, "row of a manifest page");
    }
    size_t size = row_size((unsigned)head->k + head->m);
    size_t at = MANIFEST_HEAD_SIZE + index * size;
    CHECK(at + size + MANIFEST_MAC_SIZE <= page.size);
    struct reader reader = reader_of(bytes_slice(page, at, size));
    struct manifest_row row = {0};
    reader_copy(&reader, row.chunk.bytes, CHUNK_ID_SIZE);
    row.suite = reader_u16(&reader);
    row.shape.plain_len = reader_u32(&reader);
    row.shape.padded_len = reader_u32(&reader);
    row.shape.block_len = reader_u32(&reader);
    reader_copy(&reader, row.commit, sizeof(row.commit));
    reader_copy(&reader, row.wrapped_dek, sizeof(row.wrapped_dek));
    row.tags = reader.rest.data;
    if (row.suite != CHUNK_SUITE) {
        return FAIL(CORRUPT, "suite of a manifest row");
    }
    if (!status_ok(chunk_shape_check(&row.shape))) {
        return FAIL(CORRUPT, "lengths of a manifest row");
    }
    *ret_row = row;
    return OK;
}

struct status manifest_page_verify(struct bytes page, const struct secret *object_key)
{
    struct manifest_head head;
    TRY(manifest_page_head(page, &head));
    size_t body_size = page.size - MANIFEST_MAC_SIZE;
    uint8_t mac[MANIFEST_MAC_SIZE];
    TRY(page_mac(object_key, id16_view(&head.data), bytes_of(page.data, body_size), mac));
    if (!secret_equal(BYTES_ARRAY(mac), bytes_from(page, body_size))) {
        return FAIL(CORRUPT, "MAC of a manifest page");
    }
    return OK;
}

struct status manifest_page_length(struct bytes page, uint64_t *ret_length)
{
    struct manifest_head head;
    TRY(manifest_page_head(page, &head));
    uint64_t length = 0;
    for (uint32_t i = 0; i < head.rows; i++) {
        struct manifest_row row;
        TRY(manifest_page_row(page, &head, i, &row));
        length += row.shape.plain_len;
    }
    *ret_length = length;
    return OK;
}
