/*
 * segment (96) = data16 | content10 | 0^2 | part u32 | first_index u32 | chunks u32 | skip u64
 *              | len u64 | link40
 * page         = segments | HMAC-SHA-256(D(FK, "triad/v1/seg", version16 u32 page), all before)
 */

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"
#include "lib/format/version_record.h"

void segment_entry_encode(struct buffer *to, const struct segment_entry *segment)
{
    buffer_add(to, id16_view(&segment->data));
    buffer_add(to, BYTES_ARRAY(segment->content.bytes));
    buffer_add_zeros(to, 2);
    buffer_add_u32(to, segment->part);
    buffer_add_u32(to, segment->first_index);
    buffer_add_u32(to, segment->chunks);
    buffer_add_u64(to, segment->skip);
    buffer_add_u64(to, segment->len);
    buffer_add(to, BYTES_ARRAY(segment->link));
}

struct status segment_entry_decode(struct bytes encoded, struct segment_entry *ret_segment)
{
    struct reader reader = reader_of(encoded);
    struct segment_entry segment = {0};
    reader_copy(&reader, segment.data.bytes, ID16_SIZE);
    reader_copy(&reader, segment.content.bytes, CONTENT_SIZE);
    reader_zeros(&reader, 2);
    segment.part = reader_u32(&reader);
    segment.first_index = reader_u32(&reader);
    segment.chunks = reader_u32(&reader);
    segment.skip = reader_u64(&reader);
    segment.len = reader_u64(&reader);
    reader_copy(&reader, segment.link, sizeof(segment.link));
    if (!reader_finish(&reader)) {
        return FAIL(CORRUPT, "length or reserved bytes of a segment");
    }
    *ret_segment = segment;
    return OK;
}

static struct status segment_mac(
    const struct secret *object_key, const struct id16 *version, uint32_t page,
    struct bytes entries, uint8_t ret_mac[VERSION_MAC_SIZE])
{
    uint8_t number[4];
    encode_u32(number, page);
    struct bytes context[] = {id16_view(version), BYTES_ARRAY(number)};
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive(object_key, "triad/v1/seg", context, 2, &key));
    return digest_hmac(secret_bytes(key), &entries, 1, ret_mac);
}

struct status segment_page_seal(
    const struct secret *object_key, const struct id16 *version, uint32_t page,
    struct buffer *entries)
{
    TRY(buffer_status(entries));
    CHECK(entries->size > 0 && entries->size % SEGMENT_SIZE == 0);
    if (entries->size > SEGMENT_PAGE_MAX - VERSION_MAC_SIZE) {
        return FAIL(TOO_LARGE, "page of segments");
    }
    uint8_t mac[VERSION_MAC_SIZE];
    TRY(segment_mac(object_key, version, page, buffer_bytes(entries), mac));
    buffer_add(entries, BYTES_ARRAY(mac));
    return buffer_status(entries);
}

struct status segment_page_verify(
    const struct secret *object_key, const struct id16 *version, uint32_t page, struct bytes sealed,
    struct bytes *ret_entries)
{
    if (sealed.size < SEGMENT_SIZE + VERSION_MAC_SIZE || sealed.size > SEGMENT_PAGE_MAX ||
        (sealed.size - VERSION_MAC_SIZE) % SEGMENT_SIZE != 0) {
        return FAIL(CORRUPT, "length of a page of segments");
    }
    struct bytes entries = bytes_of(sealed.data, sealed.size - VERSION_MAC_SIZE);
    uint8_t mac[VERSION_MAC_SIZE];
    TRY(segment_mac(object_key, version, page, entries, mac));
    if (!secret_equal(BYTES_ARRAY(mac), bytes_from(sealed, entries.size))) {
        return FAIL(CORRUPT, "MAC of a page of segments");
    }
    *ret_entries = entries;
    return OK;
}
