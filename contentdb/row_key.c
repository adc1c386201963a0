#include "contentdb/row_key.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

static void add(struct row_key *key, const void *data, size_t size)
{
    CHECK(size <= sizeof(key->data) - key->size);
    if (size > 0) {
        memcpy(key->data + key->size, data, size);
        key->size += size;
    }
}

static void begin(struct row_key *key, char type)
{
    key->size = 0;
    add(key, &type, 1);
}

static void add_u32(struct row_key *key, uint32_t value)
{
    uint8_t bytes[4];
    encode_u32(bytes, value);
    add(key, bytes, sizeof(bytes));
}

static void add_u64(struct row_key *key, uint64_t value)
{
    uint8_t bytes[8];
    encode_u64(bytes, value);
    add(key, bytes, sizeof(bytes));
}

bool row_key_is_name(struct bytes name)
{
    return name.size > 0 && name.size <= ROW_NAME_MAX && memchr(name.data, 0, name.size) == NULL;
}

struct bytes row_key_prefix(struct row_key *key, char type, struct bytes field)
{
    begin(key, type);
    add(key, field.data, field.size);
    return row_key_bytes(key);
}

struct bytes row_key_bucket_name(struct row_key *key, struct bytes name)
{
    return row_key_prefix(key, 'N', name);
}

struct bytes
row_key_tenant_bucket(struct row_key *key, const struct id16 *tenant, struct bytes name)
{
    begin(key, 'n');
    add(key, tenant->bytes, ID16_SIZE);
    add(key, name.data, name.size);
    return row_key_bytes(key);
}

struct bytes row_key_bucket(struct row_key *key, const struct id16 *bucket)
{
    return row_key_prefix(key, 'B', id16_view(bucket));
}

struct bytes row_key_usage(struct row_key *key, const struct id16 *bucket)
{
    row_key_bucket(key, bucket);
    add(key, "usage", 5);
    return row_key_bytes(key);
}

struct bytes row_key_object(struct row_key *key, const struct id16 *bucket, struct bytes name)
{
    begin(key, 'O');
    add(key, bucket->bytes, ID16_SIZE);
    add(key, name.data, name.size);
    return row_key_bytes(key);
}

struct bytes
row_key_attributes(struct row_key *key, const struct id16 *bucket, struct bytes name, uint64_t seq)
{
    begin(key, 'A');
    add(key, bucket->bytes, ID16_SIZE);
    add(key, name.data, name.size);
    add(key, "", 1);
    add_u64(key, seq);
    return row_key_bytes(key);
}

static struct bytes
paged(struct row_key *key, char type, const void *id, size_t size, uint32_t page)
{
    begin(key, type);
    add(key, id, size);
    add_u32(key, page);
    return row_key_bytes(key);
}

struct bytes row_key_manifest(struct row_key *key, const struct content *content, uint32_t page)
{
    return paged(key, 'M', content->bytes, CONTENT_SIZE, page);
}

struct bytes row_key_placement(struct row_key *key, const struct content *content, uint32_t page)
{
    return paged(key, 'P', content->bytes, CONTENT_SIZE, page);
}

struct bytes row_key_segments(struct row_key *key, const struct id16 *version, uint32_t page)
{
    return paged(key, 'S', version->bytes, ID16_SIZE, page);
}

struct bytes
row_key_reference(struct row_key *key, const struct content *content, const struct id16 *owner)
{
    begin(key, 'R');
    add(key, content->bytes, CONTENT_SIZE);
    add(key, owner->bytes, ID16_SIZE);
    return row_key_bytes(key);
}

struct bytes row_key_upload(
    struct row_key *key, const struct id16 *bucket, struct bytes name, const struct id16 *upload)
{
    begin(key, 'U');
    add(key, bucket->bytes, ID16_SIZE);
    add(key, name.data, name.size);
    add(key, "", 1);
    if (upload != NULL) {
        add(key, upload->bytes, ID16_SIZE);
    }
    return row_key_bytes(key);
}

struct bytes row_key_part(struct row_key *key, const struct id16 *upload, uint32_t part)
{
    return paged(key, 'T', upload->bytes, ID16_SIZE, part);
}

struct bytes row_key_lease(struct row_key *key, uint64_t lease)
{
    uint8_t bytes[6];
    encode_u48(bytes, lease);
    return row_key_prefix(key, 'L', BYTES_ARRAY(bytes));
}

struct bytes row_key_last_lease(struct row_key *key)
{
    return row_key_prefix(key, 'L', bytes_of(NULL, 0));
}

struct bytes row_key_due(struct row_key *key, uint64_t due_ms, const struct content *content)
{
    begin(key, 'D');
    add_u64(key, due_ms);
    add(key, content->bytes, CONTENT_SIZE);
    return row_key_bytes(key);
}

struct bytes row_key_condemned(struct row_key *key, const struct content *content)
{
    return row_key_prefix(key, 'Z', bytes_of(content->bytes, CONTENT_SIZE));
}

struct bytes row_key_repair(
    struct row_key *key, uint8_t priority, const struct content *content, uint32_t page,
    uint32_t chunk)
{
    begin(key, 'Q');
    add(key, &priority, 1);
    add(key, content->bytes, CONTENT_SIZE);
    add_u32(key, page);
    add_u32(key, chunk);
    return row_key_bytes(key);
}

struct bytes row_key_account(struct row_key *key, uint32_t number)
{
    begin(key, 'a');
    add_u32(key, number);
    return row_key_bytes(key);
}

struct bytes row_key_last_account(struct row_key *key)
{
    return row_key_prefix(key, 'a', bytes_of(NULL, 0));
}

struct bytes row_key_steward(struct row_key *key)
{
    return row_key_prefix(key, 'K', bytes_of(NULL, 0));
}

struct bytes row_key_object_name(struct bytes key)
{
    if (key.size <= 1 + ID16_SIZE || key.data[0] != 'O') {
        return bytes_of(NULL, 0);
    }
    return bytes_from(key, 1 + ID16_SIZE);
}

bool row_key_upload_parse(struct bytes key, struct bytes *ret_name, struct id16 *ret_upload)
{
    if (key.size <= 1 + ID16_SIZE + 1 + ID16_SIZE || key.data[0] != 'U') {
        return false;
    }
    size_t name_size = key.size - (1 + ID16_SIZE + 1 + ID16_SIZE);
    *ret_name = bytes_slice(key, 1 + ID16_SIZE, name_size);
    memcpy(ret_upload->bytes, key.data + key.size - ID16_SIZE, ID16_SIZE);
    return key.data[1 + ID16_SIZE + name_size] == 0;
}

bool row_key_repair_parse(
    struct bytes key, uint8_t *ret_priority, struct content *ret_content, uint32_t *ret_page,
    uint32_t *ret_chunk)
{
    if (key.size != 1 + 1 + CONTENT_SIZE + 8 || key.data[0] != 'Q') {
        return false;
    }
    *ret_priority = key.data[1];
    memcpy(ret_content->bytes, key.data + 2, CONTENT_SIZE);
    *ret_page = decode_u32(key.data + 2 + CONTENT_SIZE);
    *ret_chunk = decode_u32(key.data + 6 + CONTENT_SIZE);
    return true;
}

uint32_t row_key_part_number(struct bytes key)
{
    if (key.size != 1 + ID16_SIZE + 4 || key.data[0] != 'T') {
        return 0;
    }
    return decode_u32(key.data + 1 + ID16_SIZE);
}

bool row_key_skip(struct row_key *key)
{
    while (key->size > 0) {
        uint8_t *last = &key->data[key->size - 1];
        if (*last < 0xff) {
            (*last)++;
            return true;
        }
        key->size--;
    }
    return false;
}
