/*
 * version record (200), big-endian:
 *
 *    0  "TVR1" | ver u16 | flags u16 | tenant16 | bucket16 | name_hash32 | version16 | data16
 *  104  content10 | 0^6 | created_ms u64 | size u64 | segments u32 | chunks u64
 *  148  attr_sha256 32 | etag16 | etag_parts u32
 */

#include "lib/format/version_record.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"

enum {
    RECORD_VERSION = 1,
    FLAGS_KNOWN = VERSION_OPEN_UPLOAD | VERSION_MULTIPART | VERSION_INLINE | VERSION_SSE_C,
};

static const char record_magic[4] = {'T', 'V', 'R', '1'};

static uint8_t *put(uint8_t *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

void version_record_encode(const struct version_record *record, uint8_t ret[VERSION_RECORD_SIZE])
{
    memset(ret, 0, VERSION_RECORD_SIZE);
    uint8_t *at = put(ret, record_magic, sizeof(record_magic));
    encode_u16(at, RECORD_VERSION);
    encode_u16(at + 2, record->flags);
    at = put(at + 4, record->tenant.bytes, ID16_SIZE);
    at = put(at, record->bucket.bytes, ID16_SIZE);
    at = put(at, record->name_hash, sizeof(record->name_hash));
    at = put(at, record->version.bytes, ID16_SIZE);
    at = put(at, record->data.bytes, ID16_SIZE);
    at = put(at, record->content.bytes, CONTENT_SIZE) + 6;
    encode_u64(at, record->created_ms);
    encode_u64(at + 8, record->size);
    encode_u32(at + 16, record->segments);
    encode_u64(at + 20, record->chunks);
    at = put(at + 28, record->attr_sha256, sizeof(record->attr_sha256));
    at = put(at, record->etag, sizeof(record->etag));
    encode_u32(at, record->etag_parts);
    CHECK(at + 4 == ret + VERSION_RECORD_SIZE);
}

static struct status check_record(const struct version_record *record)
{
    static const struct content no_content;
    bool has_content = memcmp(record->content.bytes, no_content.bytes, CONTENT_SIZE) != 0;
    if ((record->flags & ~FLAGS_KNOWN) != 0) {
        return FAIL(CORRUPT, "flags of a version record");
    }
    if (record->segments > 0 && has_content) {
        return FAIL(CORRUPT, "content of a version record with segments");
    }
    if ((record->flags & VERSION_OPEN_UPLOAD) == 0) {
        return OK;
    }
    if ((record->flags & VERSION_MULTIPART) == 0 || has_content || record->size != 0 ||
        record->segments != 0 || record->chunks != 0) {
        return FAIL(CORRUPT, "version record of an open upload");
    }
    return OK;
}

struct status version_record_decode(struct bytes encoded, struct version_record *ret_record)
{
    struct reader reader = reader_of(encoded);
    struct version_record record = {0};
    if (encoded.size != VERSION_RECORD_SIZE) {
        return FAIL(CORRUPT, "length of a version record");
    }
    if (!bytes_equal(reader_take(&reader, sizeof(record_magic)), BYTES_ARRAY(record_magic))) {
        return FAIL(CORRUPT, "magic of a version record");
    }
    if (reader_u16(&reader) != RECORD_VERSION) {
        return FAIL(CORRUPT, "version of a version record");
    }
    record.flags = reader_u16(&reader);
    reader_copy(&reader, record.tenant.bytes, ID16_SIZE);
    reader_copy(&reader, record.bucket.bytes, ID16_SIZE);
    reader_copy(&reader, record.name_hash, sizeof(record.name_hash));
    reader_copy(&reader, record.version.bytes, ID16_SIZE);
    reader_copy(&reader, record.data.bytes, ID16_SIZE);
    reader_copy(&reader, record.content.bytes, CONTENT_SIZE);
    reader_zeros(&reader, 6);
    record.created_ms = reader_u64(&reader);
    record.size = reader_u64(&reader);
    record.segments = reader_u32(&reader);
    record.chunks = reader_u64(&reader);
    reader_copy(&reader, record.attr_sha256, sizeof(record.attr_sha256));
    reader_copy(&reader, record.etag, sizeof(record.etag));
    record.etag_parts = reader_u32(&reader);
    if (!reader_finish(&reader)) {
        return FAIL(CORRUPT, "reserved bytes of a version record");
    }
    TRY(check_record(&record));
    *ret_record = record;
    return OK;
}

struct status version_record_mac(
    const struct secret *object_key, const struct id16 *data, struct bytes encoded,
    uint8_t ret_mac[VERSION_MAC_SIZE])
{
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive1(object_key, "triad/v1/version", id16_view(data), &key));
    return digest_hmac(secret_bytes(key), &encoded, 1, ret_mac);
}

struct status version_record_verify(
    const struct secret *object_key, const struct id16 *data, struct bytes encoded,
    struct bytes mac)
{
    uint8_t wanted[VERSION_MAC_SIZE];
    TRY(version_record_mac(object_key, data, encoded, wanted));
    if (!secret_equal(BYTES_ARRAY(wanted), mac)) {
        return FAIL(CORRUPT, "MAC of a version record");
    }
    return OK;
}
