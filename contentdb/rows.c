#include "contentdb/rows.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

enum { ROW_FORMAT = 1, OBJECT_OUTSIDE = 1 };

static void add_text(struct buffer *to, struct bytes text)
{
    CHECK(text.size <= UINT16_MAX);
    buffer_add_u16(to, (uint16_t)text.size);
    buffer_add(to, text);
}

static struct bytes read_text(struct reader *reader, size_t size_max)
{
    uint16_t size = reader_u16(reader);
    if (size > size_max) {
        reader->failed = true;
    }
    return reader_take(reader, size);
}

static void begin(struct buffer *to)
{
    buffer_add_u8(to, ROW_FORMAT);
}

static struct reader open_row(struct bytes value)
{
    struct reader reader = reader_of(value);
    if (reader_u8(&reader) != ROW_FORMAT) {
        reader.failed = true;
    }
    return reader;
}

/* A state from 1 to last; anything else fails the reader. */
static uint8_t read_state(struct reader *reader, uint8_t last)
{
    uint8_t state = reader_u8(reader);
    if (state < 1 || state > last) {
        reader->failed = true;
        return 1;
    }
    return state;
}

void rows_name_encode(struct buffer *to, const struct row_name *row)
{
    begin(to);
    buffer_add(to, id16_view(&row->bucket));
    buffer_add(to, id16_view(&row->tenant));
    buffer_add_u8(to, BUCKET_ACTIVE);
    buffer_add_u16(to, 1);
    buffer_add_u16(to, 0);
    buffer_add_u32(to, row->shard);
}

struct status rows_name_decode(struct bytes value, struct row_name *ret_row)
{
    struct reader reader = open_row(value);
    reader_copy(&reader, ret_row->bucket.bytes, ID16_SIZE);
    reader_copy(&reader, ret_row->tenant.bytes, ID16_SIZE);
    read_state(&reader, BUCKET_ACTIVE);
    if (reader_u16(&reader) != 1 || reader_u16(&reader) != 0) {
        return FAIL(CORRUPT, "row N: a bucket over several shards");
    }
    ret_row->shard = reader_u32(&reader);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row N");
}

void rows_tenant_bucket_encode(struct buffer *to, const struct row_tenant_bucket *row)
{
    begin(to);
    buffer_add(to, id16_view(&row->bucket));
    buffer_add_u64(to, row->created_ms);
}

struct status rows_tenant_bucket_decode(struct bytes value, struct row_tenant_bucket *ret_row)
{
    struct reader reader = open_row(value);
    reader_copy(&reader, ret_row->bucket.bytes, ID16_SIZE);
    ret_row->created_ms = reader_u64(&reader);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row n");
}

void rows_bucket_encode(struct buffer *to, const struct row_bucket *row)
{
    begin(to);
    buffer_add_u8(to, (uint8_t)row->state);
    buffer_add(to, id16_view(&row->tenant));
    buffer_add_u64(to, row->created_ms);
    add_text(to, row->name);
}

struct status rows_bucket_decode(struct bytes value, struct row_bucket *ret_row)
{
    struct reader reader = open_row(value);
    ret_row->state = read_state(&reader, BUCKET_DELETING);
    reader_copy(&reader, ret_row->tenant.bytes, ID16_SIZE);
    ret_row->created_ms = reader_u64(&reader);
    ret_row->name = read_text(&reader, ROW_TEXT_MAX);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row B");
}

void rows_usage_encode(struct buffer *to, const struct row_usage *row)
{
    begin(to);
    buffer_add_u64(to, row->objects);
    buffer_add_u64(to, row->bytes);
}

struct status rows_usage_decode(struct bytes value, struct row_usage *ret_row)
{
    struct reader reader = open_row(value);
    ret_row->objects = reader_u64(&reader);
    ret_row->bytes = reader_u64(&reader);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row B usage");
}

void rows_object_encode(struct buffer *to, const struct row_object *row)
{
    begin(to);
    buffer_add_u8(to, row->is_outside ? OBJECT_OUTSIDE : 0);
    buffer_add_u64(to, row->seq);
    CHECK(row->record.size == VERSION_RECORD_SIZE && row->vmac.size == VERSION_MAC_SIZE);
    buffer_add(to, row->record);
    buffer_add(to, row->vmac);
    add_text(to, row->key_ref);
    add_text(to, row->is_outside ? bytes_of(NULL, 0) : row->attributes);
}

struct status rows_object_decode(struct bytes value, struct row_object *ret_row)
{
    struct reader reader = open_row(value);
    uint8_t flags = reader_u8(&reader);
    ret_row->is_outside = flags == OBJECT_OUTSIDE;
    ret_row->seq = reader_u64(&reader);
    ret_row->record = reader_take(&reader, VERSION_RECORD_SIZE);
    ret_row->vmac = reader_take(&reader, VERSION_MAC_SIZE);
    ret_row->key_ref = read_text(&reader, ROW_KEY_REF_MAX);
    ret_row->attributes = read_text(&reader, ROW_ATTRIBUTES_INLINE);
    if (flags > OBJECT_OUTSIDE || (ret_row->is_outside && ret_row->attributes.size > 0)) {
        return FAIL(CORRUPT, "row O: flags");
    }
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row O");
}

void rows_reference_encode(struct buffer *to, const struct row_reference *row)
{
    begin(to);
    buffer_add_u8(to, (uint8_t)row->state);
    buffer_add(to, id16_view(&row->bucket));
    buffer_add_u64(to, row->seq);
}

struct status rows_reference_decode(struct bytes value, struct row_reference *ret_row)
{
    struct reader reader = open_row(value);
    ret_row->state = read_state(&reader, REFERENCE_KILLED);
    reader_copy(&reader, ret_row->bucket.bytes, ID16_SIZE);
    ret_row->seq = reader_u64(&reader);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row R");
}

void rows_upload_encode(struct buffer *to, const struct row_upload *row)
{
    begin(to);
    buffer_add_u8(to, (uint8_t)row->state);
    buffer_add_u64(to, row->created_ms);
    CHECK(row->record.size == VERSION_RECORD_SIZE && row->vmac.size == VERSION_MAC_SIZE);
    buffer_add(to, row->record);
    buffer_add(to, row->vmac);
    add_text(to, row->key_ref);
    add_text(to, row->attributes);
    if (row->state == UPLOAD_DONE) {
        CHECK(row->done_record.size == VERSION_RECORD_SIZE);
        CHECK(row->done_vmac.size == VERSION_MAC_SIZE);
        buffer_add_u64(to, row->done_seq);
        buffer_add(to, row->done_record);
        buffer_add(to, row->done_vmac);
    }
}

struct status rows_upload_decode(struct bytes value, struct row_upload *ret_row)
{
    struct reader reader = open_row(value);
    *ret_row = (struct row_upload){.state = read_state(&reader, UPLOAD_ABORTING)};
    ret_row->created_ms = reader_u64(&reader);
    ret_row->record = reader_take(&reader, VERSION_RECORD_SIZE);
    ret_row->vmac = reader_take(&reader, VERSION_MAC_SIZE);
    ret_row->key_ref = read_text(&reader, ROW_KEY_REF_MAX);
    ret_row->attributes = read_text(&reader, ROW_ATTRIBUTES_MAX);
    if (ret_row->state == UPLOAD_DONE) {
        ret_row->done_seq = reader_u64(&reader);
        ret_row->done_record = reader_take(&reader, VERSION_RECORD_SIZE);
        ret_row->done_vmac = reader_take(&reader, VERSION_MAC_SIZE);
    }
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row U");
}

void rows_part_encode(struct buffer *to, const struct row_part *row)
{
    begin(to);
    buffer_add(to, BYTES_ARRAY(row->content.bytes));
    buffer_add(to, BYTES_ARRAY(row->etag));
    buffer_add_u64(to, row->size);
    buffer_add_u32(to, row->chunks);
    buffer_add_u64(to, row->modified_ms);
}

struct status rows_part_decode(struct bytes value, struct row_part *ret_row)
{
    struct reader reader = open_row(value);
    reader_copy(&reader, ret_row->content.bytes, CONTENT_SIZE);
    reader_copy(&reader, ret_row->etag, sizeof(ret_row->etag));
    ret_row->size = reader_u64(&reader);
    ret_row->chunks = reader_u32(&reader);
    ret_row->modified_ms = reader_u64(&reader);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row T");
}

void rows_lease_encode(struct buffer *to, const struct row_lease *row)
{
    begin(to);
    buffer_add_u8(to, (uint8_t)row->state);
    buffer_add_u64(to, row->opened_ms);
    buffer_add_u64(to, row->renewed_ms);
    buffer_add(to, BYTES_ARRAY(row->cert_sha256));
    add_text(to, row->uri);
}

struct status rows_lease_decode(struct bytes value, struct row_lease *ret_row)
{
    struct reader reader = open_row(value);
    ret_row->state = read_state(&reader, LEASE_CLOSED);
    ret_row->opened_ms = reader_u64(&reader);
    ret_row->renewed_ms = reader_u64(&reader);
    reader_copy(&reader, ret_row->cert_sha256, sizeof(ret_row->cert_sha256));
    ret_row->uri = read_text(&reader, ROW_TEXT_MAX);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row L");
}

void rows_account_encode(struct buffer *to, const struct row_account *row)
{
    begin(to);
    buffer_add(to, id16_view(&row->account));
    buffer_add(to, id16_view(&row->store_uuid));
    buffer_add_u8(to, row->state);
    buffer_add_u64(to, row->durable_lsn);
    add_text(to, row->node_id);
    add_text(to, row->address);
    add_text(to, row->tls_name);
    add_text(to, row->failure_domain);
}

struct status rows_account_decode(struct bytes value, struct row_account *ret_row)
{
    struct reader reader = open_row(value);
    reader_copy(&reader, ret_row->account.bytes, ID16_SIZE);
    reader_copy(&reader, ret_row->store_uuid.bytes, ID16_SIZE);
    ret_row->state = read_state(&reader, 4);
    ret_row->durable_lsn = reader_u64(&reader);
    ret_row->node_id = read_text(&reader, ROW_TEXT_MAX);
    ret_row->address = read_text(&reader, ROW_TEXT_MAX);
    ret_row->tls_name = read_text(&reader, ROW_TEXT_MAX);
    ret_row->failure_domain = read_text(&reader, ROW_TEXT_MAX);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row a");
}

void rows_steward_encode(struct buffer *to, const struct row_steward *row)
{
    begin(to);
    buffer_add_u32(to, row->fence);
    buffer_add(to, BYTES_ARRAY(row->cert_sha256));
    add_text(to, row->uri);
}

struct status rows_steward_decode(struct bytes value, struct row_steward *ret_row)
{
    struct reader reader = open_row(value);
    ret_row->fence = reader_u32(&reader);
    reader_copy(&reader, ret_row->cert_sha256, sizeof(ret_row->cert_sha256));
    ret_row->uri = read_text(&reader, ROW_TEXT_MAX);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row K");
}

void rows_stamp_encode(struct buffer *to, const struct row_stamp *row)
{
    begin(to);
    buffer_add(to, id16_view(&row->bucket));
    buffer_add_u64(to, row->since_ms);
}

struct status rows_stamp_decode(struct bytes value, struct row_stamp *ret_row)
{
    struct reader reader = open_row(value);
    reader_copy(&reader, ret_row->bucket.bytes, ID16_SIZE);
    ret_row->since_ms = reader_u64(&reader);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row Q or D");
}

void rows_last_encode(struct buffer *to, uint64_t last)
{
    begin(to);
    buffer_add_u64(to, last);
}

struct status rows_last_decode(struct bytes value, uint64_t *ret_last)
{
    struct reader reader = open_row(value);
    *ret_last = reader_u64(&reader);
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "row of a last number");
}
