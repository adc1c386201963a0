#include "contentdb/content_read.h"

#include "contentdb/content_state.h"
#include "contentdb/object_lister.h"
#include "contentdb/page_finder.h"
#include "contentdb/reply_bytes.h"
#include "contentdb/row_key.h"
#include "contentdb/rows.h"

enum { LOOKUP_ITEMS_MAX = 64 };

struct status content_read_resolve_bucket(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    struct content_service *service = context;
    const Triad__Content__ResolveBucketRequest *request = (const void *)message;
    Triad__Content__ResolveBucketReply *reply = (void *)answer;
    TRY(content_state_begin(service, call, request->seen, &reply->position));
    struct bytes name = bytes_text(request->name);
    if (name.size == 0 || name.size > ROW_BUCKET_NAME_MAX) {
        return OK;
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    struct row_key key;
    struct bytes value;
    struct status status = kv_snapshot_get(snapshot, row_key_bucket_name(&key, name), &value);
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    struct row_name row;
    TRY(rows_name_decode(value, &row));
    reply->is_found = 1;
    reply->shard = row.shard;
    TRY(reply_bytes_copy(rpc_call_arena(call), id16_view(&row.bucket), &reply->bucket));
    return reply_bytes_copy(rpc_call_arena(call), id16_view(&row.tenant), &reply->tenant);
}

/* ---------------------------------------------------------------- Lookup */

struct lookup {
    struct content_service *service;
    struct rpc_call *call;
    struct arena *arena;
    struct kv_snapshot *snapshot;
    const Triad__Content__LookupItem *item;
    Triad__Content__LookupResult *result;
    struct grant grant;
    size_t bytes; /* Of the results so far. */
};

static struct status new_row(struct lookup *lookup, uint64_t seq, Triad__Content__ObjectRow **ret)
{
    Triad__Content__ObjectRow *row = arena_alloc(lookup->arena, sizeof(*row));
    if (row == NULL) {
        return FAIL(NO_MEMORY, "row for a reply");
    }
    triad__content__object_row__init(row);
    row->seq = seq;
    TRY(reply_bytes_copy(lookup->arena, commit_check_bytes(lookup->item->key), &row->key));
    *ret = row;
    return OK;
}

static struct status lookup_upload(struct lookup *lookup)
{
    const Triad__Content__LookupItem *item = lookup->item;
    struct id16 upload;
    struct row_key key;
    struct bytes value;
    TRY(commit_check_id16(item->upload, &upload));
    struct status status = kv_snapshot_get(
        lookup->snapshot,
        row_key_upload(&key, &lookup->grant.bucket, commit_check_bytes(item->key), &upload),
        &value);
    if (status.code == STATUS_NOT_FOUND) {
        lookup->result->outcome = OUTCOME(NO_SUCH_UPLOAD);
        return OK;
    }
    TRY(status);
    struct row_upload row;
    TRY(rows_upload_decode(value, &row));
    if (row.state == UPLOAD_ABORTING) {
        lookup->result->outcome = OUTCOME(NO_SUCH_UPLOAD);
        return OK;
    }
    Triad__Content__ObjectRow *found = NULL;
    TRY(new_row(lookup, row.done_seq, &found));
    TRY(reply_bytes_copy(lookup->arena, row.record, &found->version_record));
    TRY(reply_bytes_copy(lookup->arena, row.vmac, &found->vmac));
    TRY(reply_bytes_copy(lookup->arena, row.key_ref, &found->key_ref));
    TRY(reply_bytes_copy(lookup->arena, row.attributes, &found->attributes));
    lookup->result->row = found;
    lookup->result->outcome = OUTCOME(DONE);
    lookup->bytes += value.size;
    return OK;
}

static struct status add_attributes(
    struct lookup *lookup, const struct row_object *row, Triad__Content__ObjectRow *found)
{
    struct bytes attributes = row->attributes;
    if (row->is_outside) {
        struct row_key key;
        TRY(kv_snapshot_get(
            lookup->snapshot,
            row_key_attributes(
                &key, &lookup->grant.bucket, commit_check_bytes(lookup->item->key), row->seq),
            &attributes));
    }
    lookup->bytes += attributes.size;
    return reply_bytes_copy(lookup->arena, attributes, &found->attributes);
}

static struct status add_segments(struct lookup *lookup, const struct version_record *record)
{
    Triad__Content__LookupResult *result = lookup->result;
    result->segment_pages =
        arena_zalloc(lookup->arena, COMMIT_SEGMENT_PAGES_MAX, sizeof(*result->segment_pages));
    if (result->segment_pages == NULL) {
        return FAIL(NO_MEMORY, "segments for a reply");
    }
    for (uint32_t page = 0; page < COMMIT_SEGMENT_PAGES_MAX; page++) {
        struct row_key key;
        struct bytes value;
        struct status status = kv_snapshot_get(
            lookup->snapshot, row_key_segments(&key, &record->version, page), &value);
        if (status.code == STATUS_NOT_FOUND) {
            break;
        }
        TRY(status);
        TRY(reply_bytes_copy(lookup->arena, value, &result->segment_pages[page]));
        result->n_segment_pages++;
        lookup->bytes += value.size;
    }
    return OK;
}

static struct status add_pages(struct lookup *lookup, const struct version_record *record)
{
    const Triad__Content__LookupItem *item = lookup->item;
    struct page_range range = {
        .content = record->content,
        .offset = item->offset,
        .length = item->length,
        .pages_max = item->pages_max,
        .bytes_max = CONTENT_ITEM_BYTES,
    };
    if (range.pages_max == 0 || range.pages_max > CONTENT_PAGES_MAX_ANSWER) {
        range.pages_max = CONTENT_PAGES_MAX_ANSWER;
    }
    if (item->is_suffix) {
        range.offset = item->offset < record->size ? record->size - item->offset : 0;
    }
    if (range.offset >= record->size) {
        return OK;
    }
    size_t bytes = 0;
    TRY(page_finder_find(
        lookup->snapshot, &range, lookup->arena, &lookup->result->pages, &lookup->result->n_pages,
        &bytes));
    lookup->bytes += bytes;
    return OK;
}

static struct status lookup_object(struct lookup *lookup)
{
    struct row_key key;
    struct bytes value;
    struct status status = kv_snapshot_get(
        lookup->snapshot,
        row_key_object(&key, &lookup->grant.bucket, commit_check_bytes(lookup->item->key)), &value);
    if (status.code == STATUS_NOT_FOUND) {
        lookup->result->outcome = OUTCOME(NOT_FOUND);
        return OK;
    }
    TRY(status);
    struct row_object row;
    struct version_record record;
    TRY(rows_object_decode(value, &row));
    TRY(version_record_decode(row.record, &record));
    Triad__Content__ObjectRow *found = NULL;
    TRY(new_row(lookup, row.seq, &found));
    TRY(reply_bytes_copy(lookup->arena, row.record, &found->version_record));
    TRY(reply_bytes_copy(lookup->arena, row.vmac, &found->vmac));
    TRY(reply_bytes_copy(lookup->arena, row.key_ref, &found->key_ref));
    TRY(add_attributes(lookup, &row, found));
    lookup->bytes += value.size;
    if (record.segments > 0) {
        TRY(add_segments(lookup, &record));
    } else if (lookup->item->length > 0) {
        TRY(add_pages(lookup, &record));
    }
    lookup->result->row = found;
    lookup->result->outcome = OUTCOME(DONE);
    return OK;
}

/* NO_SUCH_BUCKET unless the granted bucket is active: a grant lives longer than a bucket. */
static struct status check_bucket(
    struct kv_snapshot *snapshot, const struct grant *grant, Triad__Content__Outcome *ret_outcome)
{
    struct row_key key;
    struct bytes value;
    struct status status = kv_snapshot_get(snapshot, row_key_bucket(&key, &grant->bucket), &value);
    *ret_outcome = OUTCOME(NO_SUCH_BUCKET);
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    struct row_bucket row;
    TRY(rows_bucket_decode(value, &row));
    if (row.state == BUCKET_ACTIVE) {
        bool is_tenant = id16_equal(&row.tenant, &grant->tenant);
        *ret_outcome = is_tenant ? OUTCOME(DONE) : OUTCOME(DENIED);
    }
    return OK;
}

static struct status lookup_item(struct lookup *lookup)
{
    const Triad__Content__LookupItem *item = lookup->item;
    unsigned rights = item->length > 0 ? GRANT_READ : GRANT_READ | GRANT_WRITE;
    TRY(content_state_grant(
        lookup->service, lookup->call, item->grant, &item->bucket, rights, &lookup->grant));
    if (!row_key_is_name(commit_check_bytes(item->key))) {
        return FAIL(INVALID, "name of the object");
    }
    TRY(check_bucket(lookup->snapshot, &lookup->grant, &lookup->result->outcome));
    if (lookup->result->outcome != OUTCOME(DONE)) {
        return OK;
    }
    return item->upload.len > 0 ? lookup_upload(lookup) : lookup_object(lookup);
}

struct status content_read_lookup(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__LookupRequest *request = (const void *)message;
    Triad__Content__LookupReply *reply = (void *)answer;
    struct lookup lookup = {.service = context, .call = call, .arena = rpc_call_arena(call)};
    TRY(content_state_begin(lookup.service, call, request->seen, &reply->position));
    if (request->n_items > LOOKUP_ITEMS_MAX) {
        return FAIL(INVALID, "items of a lookup");
    }
    reply->results = arena_zalloc(lookup.arena, request->n_items + 1, sizeof(*reply->results));
    if (reply->results == NULL) {
        return FAIL(NO_MEMORY, "lookup");
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(lookup.service->options.kv, &snapshot));
    lookup.snapshot = snapshot;
    for (size_t i = 0; i < request->n_items; i++) {
        Triad__Content__LookupResult *result = arena_alloc(lookup.arena, sizeof(*result));
        if (result == NULL) {
            return FAIL(NO_MEMORY, "lookup");
        }
        triad__content__lookup_result__init(result);
        reply->results[reply->n_results++] = result;
        lookup.item = request->items[i];
        lookup.result = result;
        if (lookup.bytes > CONTENT_REPLY_BYTES) {
            result->outcome = OUTCOME(UNAVAILABLE); /* The client asks again for these. */
            continue;
        }
        struct status status = lookup_item(&lookup);
        if (!status_ok(status)) {
            triad__content__lookup_result__init(result);
            result->outcome = content_state_refused("Lookup", status);
        }
    }
    return OK;
}

/* ---------------------------------------------------------------- Pages */

/* A content belongs to the bucket of its reference rows. */
static struct status is_of_bucket(
    struct kv_snapshot *snapshot, const struct content *content, const struct id16 *bucket,
    bool *ret_is)
{
    struct row_key prefix;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    row_key_prefix(&prefix, 'R', BYTES_ARRAY(content->bytes));
    TRY(kv_cursor_seek(snapshot, row_key_bytes(&prefix), &cursor));
    struct bytes key;
    struct bytes value;
    struct status status = kv_cursor_next(cursor, &key, &value);
    *ret_is = false;
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    if (!bytes_starts_with(key, row_key_bytes(&prefix))) {
        return OK;
    }
    struct row_reference row;
    TRY(rows_reference_decode(value, &row));
    *ret_is = id16_equal(&row.bucket, bucket);
    return OK;
}

static struct status find_pages(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__PagesRequest *request, Triad__Content__PagesReply *reply)
{
    struct grant grant;
    TRY(content_state_grant(service, call, request->grant, &request->bucket, GRANT_READ, &grant));
    struct page_range range = {
        .offset = request->offset,
        .length = request->length,
        .pages_max = request->pages_max,
        .bytes_max = CONTENT_ITEM_BYTES,
    };
    TRY(commit_check_content(request->content, &range.content));
    if (range.pages_max == 0 || range.pages_max > CONTENT_PAGES_MAX_ANSWER) {
        range.pages_max = CONTENT_PAGES_MAX_ANSWER;
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    TRY(check_bucket(snapshot, &grant, &reply->outcome));
    if (reply->outcome != OUTCOME(DONE)) {
        return OK;
    }
    bool is_ours = false;
    TRY(is_of_bucket(snapshot, &range.content, &grant.bucket, &is_ours));
    if (!is_ours) {
        reply->outcome = OUTCOME(NOT_FOUND);
        return OK;
    }
    size_t bytes = 0;
    return page_finder_find(
        snapshot, &range, rpc_call_arena(call), &reply->pages, &reply->n_pages, &bytes);
}

struct status content_read_pages(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__PagesRequest *request = (const void *)message;
    Triad__Content__PagesReply *reply = (void *)answer;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = find_pages(context, call, request, reply);
    if (!status_ok(status)) {
        reply->n_pages = 0;
        reply->outcome = content_state_refused("Pages", status);
    }
    return OK;
}

/* ---------------------------------------------------------------- List */

static struct status list(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__ListRequest *request, Triad__Content__ListReply *reply)
{
    struct grant grant;
    TRY(content_state_grant(service, call, request->grant, &request->bucket, GRANT_READ, &grant));
    const struct object_listing listing = {
        .bucket = grant.bucket,
        .prefix = commit_check_bytes(request->prefix),
        .delimiter = commit_check_bytes(request->delimiter),
        .after = commit_check_bytes(request->after),
        .limit = request->limit < OBJECT_LIST_MAX ? request->limit : OBJECT_LIST_MAX,
    };
    if (listing.limit == 0 || listing.prefix.size > ROW_NAME_MAX ||
        listing.delimiter.size > ROW_NAME_MAX || listing.after.size > ROW_NAME_MAX) {
        return FAIL(INVALID, "limit, prefix, delimiter or after of a listing");
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    TRY(check_bucket(snapshot, &grant, &reply->outcome));
    if (reply->outcome != OUTCOME(DONE)) {
        return OK;
    }
    return object_lister_list(snapshot, &listing, rpc_call_arena(call), reply);
}

struct status content_read_list(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__ListRequest *request = (const void *)message;
    Triad__Content__ListReply *reply = (void *)answer;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = list(context, call, request, reply);
    if (!status_ok(status)) {
        reply->n_rows = 0;
        reply->n_prefixes = 0;
        reply->is_truncated = 0;
        reply->next_after = (ProtobufCBinaryData){.len = 0};
        reply->outcome = content_state_refused("List", status);
    }
    return OK;
}
