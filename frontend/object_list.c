#include "frontend/object_list.h"

#include "frontend/access.h"
#include "frontend/object_open.h"
#include "frontend/s3_xml.h"
#include "lib/base/hex.h"
#include "lib/format/version_record.h"

enum { ANSWER_MAX = 16 * 1024 * 1024, AFTER_MAX = 2048 };

/* Where to go on: the token, or the name given. */
static struct status after_of(
    struct frontend_call *call, const struct s3_list_arguments *arguments, struct bytes *ret_after)
{
    if (!arguments->has_continuation) {
        *ret_after = arguments->start_after;
        return OK;
    }
    size_t size = arguments->continuation.size / 2;
    uint8_t *after = arena_alloc(call->arena, size + 1);
    if (after == NULL) {
        return FAIL(NO_MEMORY, "continuation token");
    }
    if (size == 0 || size > AFTER_MAX || !hex_decode(arguments->continuation, after, size)) {
        return frontend_refuse(
            call, S3_ERROR_INVALID_ARGUMENT, FAIL(INVALID, "continuation token"));
    }
    *ret_after = bytes_of(after, size);
    return OK;
}

static struct status object_row(
    struct frontend_call *call, const struct access *access, const Triad__Content__ObjectRow *row,
    struct s3_xml_object *ret_object)
{
    struct version_record record;
    TRY(version_record_decode(content_client_bytes(row->version_record), &record));
    TRY(etag_mask(
        access->result->attribute_key, &access->bucket.bucket, &record.version, record.etag));
    char *etag = arena_zalloc(call->arena, OBJECT_ETAG_MAX, 1);
    if (etag == NULL) {
        return FAIL(NO_MEMORY, "etag");
    }
    object_open_etag_text(record.etag, record.etag_parts, etag);
    *ret_object = (struct s3_xml_object){
        .key = content_client_bytes(row->key),
        .modified_ms = (int64_t)record.created_ms,
        .etag = bytes_text(etag),
        .size = record.size,
    };
    return OK;
}

static struct status fill_answer(
    struct frontend_call *call, const struct access *access, const Triad__Content__ListReply *reply,
    struct s3_xml_list *list)
{
    struct s3_xml_object *objects = arena_zalloc(call->arena, reply->n_rows + 1, sizeof(*objects));
    struct bytes *prefixes = arena_zalloc(call->arena, reply->n_prefixes + 1, sizeof(*prefixes));
    if (objects == NULL || prefixes == NULL) {
        return FAIL(NO_MEMORY, "listing");
    }
    for (size_t i = 0; i < reply->n_rows; i++) {
        TRY(object_row(call, access, reply->rows[i], &objects[i]));
    }
    for (size_t i = 0; i < reply->n_prefixes; i++) {
        prefixes[i] = content_client_bytes(reply->prefixes[i]);
    }
    list->objects = objects;
    list->object_count = reply->n_rows;
    list->prefixes = prefixes;
    list->prefix_count = reply->n_prefixes;
    list->is_truncated = reply->is_truncated;
    if (!reply->is_truncated) {
        return OK;
    }
    list->next_continuation = content_client_bytes(reply->next_after);
    if (list->is_v2) {
        char *token = arena_alloc(call->arena, 2 * reply->next_after.len + 1);
        if (token == NULL) {
            return FAIL(NO_MEMORY, "continuation token");
        }
        hex_encode(content_client_bytes(reply->next_after), token);
        list->next_continuation = bytes_text(token);
    }
    return OK;
}

static struct status
ask(struct frontend_call *call, struct access *access, const struct s3_list_arguments *arguments,
    struct s3_xml_list *list, struct content_reply **ret_reply)
{
    struct bytes after;
    TRY(after_of(call, arguments, &after));
    Triad__Content__ListRequest request = TRIAD__CONTENT__LIST_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    request.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    request.prefix = content_client_binary(arguments->prefix);
    request.delimiter = content_client_binary(arguments->delimiter);
    request.after = content_client_binary(after);
    request.limit = arguments->max_keys;
    const Triad__Content__ListReply *reply = NULL;
    TRY(content_client_list(
        call->frontend->content, &request, frontend_deadline(call), ret_reply, &reply));
    TRY(frontend_outcome(call, reply->outcome));
    return fill_answer(call, access, reply, list);
}

struct status object_list(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    struct s3_list_arguments arguments;
    enum s3_error error = s3_request_list_arguments(call->request, &arguments);
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(INVALID, "arguments of a listing"));
    }
    struct s3_xml_list list = {
        .is_v2 = arguments.is_v2,
        .encodes_url = arguments.encodes_url,
        .bucket = call->request->target.bucket,
        .prefix = arguments.prefix,
        .delimiter = arguments.delimiter,
        .max_keys = arguments.max_keys,
        .start_after = arguments.start_after,
        .continuation = arguments.continuation,
        .has_owner = !arguments.is_v2 || arguments.fetches_owner,
        .owner = bytes_text(access->result->principal),
    };
    OWNED(content_reply) struct content_reply *reply = NULL;
    if (arguments.max_keys > 0) {
        TRY(ask(call, access, &arguments, &list, &reply));
    }
    BUFFER(xml, ANSWER_MAX);
    s3_xml_list_objects(&xml, &list);
    return frontend_respond_xml(call, &xml);
}
