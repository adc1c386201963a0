#include "contentdb/upload_lister.h"

#include "contentdb/reply_bytes.h"
#include "contentdb/row_key.h"

static struct status
copy_part(struct arena *arena, uint32_t number, struct bytes value, Triad__Content__PartInfo **ret)
{
    struct row_part part;
    TRY(rows_part_decode(value, &part));
    Triad__Content__PartInfo *info = arena_alloc(arena, sizeof(*info));
    if (info == NULL) {
        return FAIL(NO_MEMORY, "listing of parts");
    }
    triad__content__part_info__init(info);
    info->part = number;
    info->size = part.size;
    info->chunks = part.chunks;
    info->modified_ms = part.modified_ms;
    TRY(reply_bytes_copy(arena, BYTES_ARRAY(part.content.bytes), &info->content));
    TRY(reply_bytes_copy(arena, BYTES_ARRAY(part.etag), &info->etag));
    *ret = info;
    return OK;
}

/* The next row that starts with prefix; found is false at the end. */
static struct status next_row(
    struct kv_cursor *cursor, struct bytes prefix, struct bytes *key, struct bytes *value,
    bool *ret_found)
{
    struct status status = kv_cursor_next(cursor, key, value);
    *ret_found = status_ok(status) && bytes_starts_with(*key, prefix);
    return status.code == STATUS_NOT_FOUND ? OK : status;
}

struct status upload_lister_parts(
    struct kv_snapshot *snapshot, const struct id16 *upload, uint32_t after, uint32_t limit,
    struct arena *arena, Triad__Content__ListPartsReply *reply)
{
    struct row_key prefix;
    struct row_key from;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    if (limit == 0 || limit > UPLOAD_LIST_PARTS_MAX || after > UPLOAD_LIST_PARTS_MAX) {
        return FAIL(INVALID, "limit or after of a listing of parts");
    }
    reply->parts = arena_zalloc(arena, limit, sizeof(*reply->parts));
    if (reply->parts == NULL) {
        return FAIL(NO_MEMORY, "listing of parts");
    }
    row_key_prefix(&prefix, 'T', id16_view(upload));
    TRY(kv_cursor_seek(snapshot, row_key_part(&from, upload, after + 1), &cursor));
    for (;;) {
        struct bytes key;
        struct bytes value;
        bool found = false;
        TRY(next_row(cursor, row_key_bytes(&prefix), &key, &value, &found));
        if (!found) {
            return OK;
        }
        if (reply->n_parts == limit) {
            reply->is_truncated = 1;
            return OK;
        }
        TRY(copy_part(arena, row_key_part_number(key), value, &reply->parts[reply->n_parts]));
        reply->n_parts++;
    }
}

static struct status copy_upload(
    struct arena *arena, struct bytes key, uint64_t created_ms, Triad__Content__UploadInfo **ret)
{
    struct bytes name;
    struct id16 upload;
    if (!row_key_upload_parse(key, &name, &upload)) {
        return FAIL(CORRUPT, "key of an upload");
    }
    Triad__Content__UploadInfo *info = arena_alloc(arena, sizeof(*info));
    if (info == NULL) {
        return FAIL(NO_MEMORY, "listing of uploads");
    }
    triad__content__upload_info__init(info);
    info->created_ms = created_ms;
    TRY(reply_bytes_copy(arena, name, &info->key));
    TRY(reply_bytes_copy(arena, id16_view(&upload), &info->upload));
    *ret = info;
    return OK;
}

/* Where the listing begins; false if there is nothing behind after. */
static bool begin(const struct upload_listing *listing, struct row_key *from)
{
    if (listing->after_key.size == 0) {
        struct row_key key;
        row_key_object(&key, &listing->bucket, listing->prefix);
        key.data[0] = 'U';
        *from = key;
        return true;
    }
    if (listing->has_after_upload) {
        row_key_upload(from, &listing->bucket, listing->after_key, &listing->after_upload);
    } else {
        row_key_upload(from, &listing->bucket, listing->after_key, NULL);
    }
    return row_key_skip(from);
}

struct status upload_lister_uploads(
    struct kv_snapshot *snapshot, const struct upload_listing *listing, struct arena *arena,
    Triad__Content__ListUploadsReply *reply)
{
    struct row_key prefix;
    struct row_key from;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    reply->uploads = arena_zalloc(arena, listing->limit, sizeof(*reply->uploads));
    if (reply->uploads == NULL) {
        return FAIL(NO_MEMORY, "listing of uploads");
    }
    row_key_object(&prefix, &listing->bucket, listing->prefix);
    prefix.data[0] = 'U'; /* Laid out as an O key up to the end of the name. */
    if (!begin(listing, &from)) {
        return OK;
    }
    if (bytes_compare(row_key_bytes(&from), row_key_bytes(&prefix)) < 0) {
        from = prefix;
    }
    TRY(kv_cursor_seek(snapshot, row_key_bytes(&from), &cursor));
    for (;;) {
        struct bytes key;
        struct bytes value;
        bool found = false;
        TRY(next_row(cursor, row_key_bytes(&prefix), &key, &value, &found));
        if (!found) {
            return OK;
        }
        struct row_upload row;
        TRY(rows_upload_decode(value, &row));
        if (row.state != UPLOAD_OPEN && row.state != UPLOAD_COMPLETING) {
            continue;
        }
        if (reply->n_uploads == listing->limit) {
            reply->is_truncated = 1;
            return OK;
        }
        TRY(copy_upload(arena, key, row.created_ms, &reply->uploads[reply->n_uploads]));
        reply->n_uploads++;
    }
}
