#include "frontend/multipart.h"

#include "frontend/object_open.h"
#include "frontend/object_version.h"
#include "frontend/s3_xml.h"
#include "lib/base/hex.h"

#include <stdlib.h>

enum { ANSWER_MAX = 8 * 1024 * 1024, UPLOAD_TEXT = 2 * ID16_SIZE + 1 };

struct status multipart_upload_id(struct frontend_call *call, struct id16 *ret_upload)
{
    if (!hex_decode(call->request->target.upload_id, ret_upload->bytes, ID16_SIZE)) {
        return frontend_refuse(
            call, S3_ERROR_NO_SUCH_UPLOAD, FAIL(NOT_FOUND, "form of an upload id"));
    }
    return OK;
}

/* ---------------------------------------------------------------- create, abort */

static struct status
send_create(struct frontend_call *call, struct access *access, const struct object_version *version)
{
    const struct key_authorize_result *proved = access->result;
    Triad__Content__CreateUploadRequest request = TRIAD__CONTENT__CREATE_UPLOAD_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    request.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    request.key = content_client_binary(call->request->target.key);
    request.version_record = content_client_binary(BYTES_ARRAY(version->encoded));
    request.vmac = content_client_binary(BYTES_ARRAY(version->vmac));
    request.key_ref = content_client_binary(bytes_of(proved->key_ref, proved->key_ref_size));
    request.attributes = content_client_binary(buffer_bytes(&version->attributes));
    Triad__Content__Outcome outcome = TRIAD__CONTENT__OUTCOME__NONE;
    TRY(content_client_create_upload(
        call->frontend->content, &request, frontend_commit_deadline(call), &outcome));
    return frontend_outcome(call, outcome);
}

struct status multipart_create(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_GENERATE, NULL, &access));
    struct object_version_options options = {
        .tenant = &access->bucket.tenant,
        .bucket = &access->bucket.bucket,
        .attribute_key = access->result->attribute_key,
        .object_key = access->result->object_key,
        .data = &access->result->data,
        .key = call->request->target.key,
        .flags = VERSION_OPEN_UPLOAD | VERSION_MULTIPART,
    };
    TRY(object_version_attributes(call, &options.attributes, &options.attribute_count));
    OBJECT_VERSION(version);
    TRY(object_version_make(&options, &version));
    TRY(send_create(call, access, &version));

    char upload[UPLOAD_TEXT];
    hex_encode(id16_view(&version.version), upload);
    BUFFER(xml, ANSWER_MAX);
    s3_xml_create_upload(
        &xml, call->request->target.bucket, call->request->target.key, bytes_text(upload));
    return frontend_respond_xml(call, &xml);
}

struct status multipart_abort(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    struct id16 upload;
    TRY(multipart_upload_id(call, &upload));
    Triad__Content__AbortUploadRequest request = TRIAD__CONTENT__ABORT_UPLOAD_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    request.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    request.key = content_client_binary(call->request->target.key);
    request.upload = content_client_binary(BYTES_ARRAY(upload.bytes));
    Triad__Content__Outcome outcome = TRIAD__CONTENT__OUTCOME__NONE;
    TRY(content_client_abort_upload(
        call->frontend->content, &request, frontend_commit_deadline(call), &outcome));
    TRY(frontend_outcome(call, outcome));
    frontend_common_headers(call);
    return http_response_send(call->exchange->response, 204, bytes_of(NULL, 0));
}

/* ---------------------------------------------------------------- an opened upload */

void multipart_free(struct multipart *multipart)
{
    if (multipart == NULL) {
        return;
    }
    content_reply_free(multipart->reply);
    access_free(multipart->access);
    free(multipart);
}

static struct status look_up(struct frontend_call *call, struct multipart *multipart, bool is_fresh)
{
    struct bytes name = call->request->target.bucket;
    struct content_bucket bucket = {.is_found = false};
    uint8_t cached[GRANT_SIZE];
    Triad__Content__LookupItem item = TRIAD__CONTENT__LOOKUP_ITEM__INIT;
    TRY(access_resolve(call, name, &bucket));
    if (!is_fresh && bucket.is_found &&
        access_cached_grant(call, &bucket.bucket, GRANT_WRITE, cached)) {
        item.grant = content_client_binary(BYTES_ARRAY(cached));
    } else {
        access_free(TAKE(multipart->access));
        TRY(access_prove(call, KEY_PROVE, NULL, &multipart->access));
        bucket = multipart->access->bucket;
        TRY(access_grant(call, multipart->access, &item.grant));
    }
    item.bucket = content_client_binary(BYTES_ARRAY(bucket.bucket.bytes));
    item.key = content_client_binary(call->request->target.key);
    item.upload = content_client_binary(BYTES_ARRAY(multipart->upload.bytes));
    const Triad__Content__LookupResult *result = NULL;
    content_reply_free(TAKE(multipart->reply));
    TRY(content_client_lookup(
        call->frontend->content, &item, frontend_deadline(call), &multipart->reply, &result));
    bool is_old = result->outcome == TRIAD__CONTENT__OUTCOME__DENIED ||
                  result->outcome == TRIAD__CONTENT__OUTCOME__NO_SUCH_BUCKET;
    if (is_old && multipart->access == NULL) {
        access_forget(call, name, &bucket.bucket);
        return FAIL(STALE, "a cached grant");
    }
    if (result->outcome != TRIAD__CONTENT__OUTCOME__DONE && multipart->access == NULL) {
        TRY(access_prove(call, KEY_PROVE, NULL, &multipart->access));
    }
    TRY(frontend_outcome(call, result->outcome));
    multipart->row = result->row;
    return multipart->row != NULL ? OK : FAIL(CORRUPT, "a lookup without a row");
}

static struct status verify(struct frontend_call *call, struct multipart *multipart)
{
    const struct access *access = multipart->access;
    struct bytes encoded = content_client_bytes(multipart->row->version_record);
    TRY(version_record_decode(encoded, &multipart->record));
    const struct version_record *record = &multipart->record;
    TRY(version_record_verify(
        access->result->object_key, &record->data, encoded,
        content_client_bytes(multipart->row->vmac)));
    uint8_t hash[32];
    TRY(object_name_hash(&access->bucket.bucket, call->request->target.key, hash));
    if (record->flags != (VERSION_OPEN_UPLOAD | VERSION_MULTIPART) ||
        !id16_equal(&record->version, &multipart->upload) ||
        !id16_equal(&record->tenant, &access->bucket.tenant) ||
        !id16_equal(&record->bucket, &access->bucket.bucket) ||
        memcmp(record->name_hash, hash, sizeof(hash)) != 0) {
        return FAIL(CORRUPT, "record of an upload");
    }
    return OK;
}

struct status multipart_open(struct frontend_call *call, struct multipart **ret_multipart)
{
    OWNED(multipart) struct multipart *multipart = calloc(1, sizeof(*multipart));
    if (multipart == NULL) {
        return FAIL(NO_MEMORY, "upload");
    }
    TRY(multipart_upload_id(call, &multipart->upload));
    struct status status = look_up(call, multipart, false);
    if (status.code == STATUS_STALE && multipart->access == NULL) {
        status = look_up(call, multipart, true);
    }
    TRY(status);
    struct access_record record = {
        .record = content_client_bytes(multipart->row->version_record),
        .vmac = content_client_bytes(multipart->row->vmac),
        .key_ref = content_client_bytes(multipart->row->key_ref),
    };
    access_free(TAKE(multipart->access));
    TRY(access_prove(call, KEY_OPEN, &record, &multipart->access));
    TRY(verify(call, multipart));

    *ret_multipart = TAKE(multipart);
    return OK;
}

/* ---------------------------------------------------------------- lists */

static struct status part_row(
    struct frontend_call *call, const struct access *access, const Triad__Content__PartInfo *info,
    struct s3_xml_part *ret_part)
{
    struct content content;
    uint8_t etag[16];
    char *text = arena_zalloc(call->arena, OBJECT_ETAG_MAX, 1);
    if (text == NULL) {
        return FAIL(NO_MEMORY, "etag");
    }
    if (info->content.len != CONTENT_SIZE || info->etag.len != sizeof(etag)) {
        return FAIL(CORRUPT, "a part's row");
    }
    memcpy(content.bytes, info->content.data, CONTENT_SIZE);
    memcpy(etag, info->etag.data, sizeof(etag));
    TRY(etag_mask_part(
        access->result->attribute_key, &access->bucket.bucket, &content, info->part, etag));
    object_open_etag_text(etag, 0, text);
    *ret_part = (struct s3_xml_part){
        .number = info->part,
        .modified_ms = (int64_t)info->modified_ms,
        .etag = bytes_text(text),
        .size = info->size};
    return OK;
}

static struct status parts_answer(
    struct frontend_call *call, const struct access *access,
    const Triad__Content__ListPartsReply *listed, const struct s3_parts_arguments *arguments)
{
    struct s3_xml_part *parts = arena_zalloc(call->arena, listed->n_parts + 1, sizeof(*parts));
    if (parts == NULL) {
        return FAIL(NO_MEMORY, "parts");
    }
    for (size_t i = 0; i < listed->n_parts; i++) {
        TRY(part_row(call, access, listed->parts[i], &parts[i]));
    }
    struct s3_xml_parts list = {
        .bucket = call->request->target.bucket,
        .key = call->request->target.key,
        .upload_id = call->request->target.upload_id,
        .owner = bytes_text(access->result->principal),
        .marker = arguments->marker,
        .max = arguments->max,
        .is_truncated = listed->is_truncated,
        .parts = parts,
        .count = listed->n_parts,
    };
    list.next_marker = list.count > 0 ? parts[list.count - 1].number : 0;
    BUFFER(xml, ANSWER_MAX);
    s3_xml_list_parts(&xml, &list);
    return frontend_respond_xml(call, &xml);
}

struct status multipart_list_parts(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    struct s3_parts_arguments arguments;
    enum s3_error error = s3_request_parts_arguments(call->request, &arguments);
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(INVALID, "arguments of ListParts"));
    }
    struct id16 upload;
    TRY(multipart_upload_id(call, &upload));
    Triad__Content__ListPartsRequest request = TRIAD__CONTENT__LIST_PARTS_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    request.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    request.key = content_client_binary(call->request->target.key);
    request.upload = content_client_binary(BYTES_ARRAY(upload.bytes));
    request.after = arguments.marker;
    request.limit = arguments.max > 0 ? arguments.max : 1;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__ListPartsReply *listed = NULL;
    TRY(content_client_list_parts(
        call->frontend->content, &request, frontend_deadline(call), &reply, &listed));
    TRY(frontend_outcome(call, listed->outcome));
    return parts_answer(call, access, listed, &arguments);
}

static struct status uploads_answer(
    struct frontend_call *call, const struct access *access,
    const Triad__Content__ListUploadsReply *listed, const struct s3_uploads_arguments *arguments)
{
    struct s3_xml_upload *uploads =
        arena_zalloc(call->arena, listed->n_uploads + 1, sizeof(*uploads));
    if (uploads == NULL) {
        return FAIL(NO_MEMORY, "uploads");
    }
    for (size_t i = 0; i < listed->n_uploads; i++) {
        char *id = arena_zalloc(call->arena, UPLOAD_TEXT, 1);
        if (id == NULL || listed->uploads[i]->upload.len != ID16_SIZE) {
            return FAIL(CORRUPT, "an upload's row");
        }
        hex_encode(content_client_bytes(listed->uploads[i]->upload), id);
        uploads[i] = (struct s3_xml_upload){
            .key = content_client_bytes(listed->uploads[i]->key),
            .upload_id = bytes_text(id),
            .created_ms = (int64_t)listed->uploads[i]->created_ms};
    }
    struct s3_xml_uploads list = {
        .bucket = call->request->target.bucket,
        .prefix = arguments->prefix,
        .delimiter = arguments->delimiter,
        .key_marker = arguments->key_marker,
        .upload_id_marker = arguments->upload_id_marker,
        .owner = bytes_text(access->result->principal),
        .max = arguments->max,
        .encodes_url = arguments->encodes_url,
        .is_truncated = listed->is_truncated,
        .uploads = uploads,
        .count = listed->n_uploads,
    };
    if (listed->is_truncated && list.count > 0) {
        list.next_key_marker = uploads[list.count - 1].key;
        list.next_upload_id_marker = uploads[list.count - 1].upload_id;
    }
    BUFFER(xml, ANSWER_MAX);
    s3_xml_list_uploads(&xml, &list);
    return frontend_respond_xml(call, &xml);
}

struct status multipart_list_uploads(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    struct s3_uploads_arguments arguments;
    enum s3_error error = s3_request_uploads_arguments(call->request, &arguments);
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(INVALID, "arguments of ListMultipartUploads"));
    }
    struct id16 marker;
    bool has_marker = hex_decode(arguments.upload_id_marker, marker.bytes, ID16_SIZE);
    if (arguments.upload_id_marker.size > 0 && !has_marker) {
        return frontend_refuse(call, S3_ERROR_INVALID_ARGUMENT, FAIL(INVALID, "upload-id-marker"));
    }
    Triad__Content__ListUploadsRequest request = TRIAD__CONTENT__LIST_UPLOADS_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    request.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    request.prefix = content_client_binary(arguments.prefix);
    request.after_key = content_client_binary(arguments.key_marker);
    if (has_marker) {
        request.after_upload = content_client_binary(BYTES_ARRAY(marker.bytes));
    }
    request.limit = arguments.max > 0 ? arguments.max : 1;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__ListUploadsReply *listed = NULL;
    TRY(content_client_list_uploads(
        call->frontend->content, &request, frontend_deadline(call), &reply, &listed));
    TRY(frontend_outcome(call, listed->outcome));
    return uploads_answer(call, access, listed, &arguments);
}
