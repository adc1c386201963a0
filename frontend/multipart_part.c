#include "frontend/multipart_part.h"

#include "frontend/body_source.h"
#include "frontend/multipart.h"
#include "frontend/object_commit.h"
#include "frontend/object_reader.h"
#include "frontend/s3_xml.h"
#include "frontend/upload.h"
#include "lib/base/clock.h"

enum { ANSWER_MAX = 64 * 1024 };

/* Enter a part: its pages, its masked ETag. */
static struct status commit_part(
    struct frontend_call *call, struct multipart *multipart, const struct upload *upload,
    uint64_t size, const uint8_t md5[16])
{
    struct access *access = multipart->access;
    uint32_t part = call->request->target.part_number;
    uint8_t etag[16];
    memcpy(etag, md5, sizeof(etag));
    TRY(etag_mask_part(
        access->result->attribute_key, &access->bucket.bucket, upload_content(upload), part, etag));
    Triad__Content__CommitItem item = TRIAD__CONTENT__COMMIT_ITEM__INIT;
    item.kind = TRIAD__CONTENT__COMMIT_KIND__PART;
    TRY(access_grant(call, access, &item.grant));
    item.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    item.key = content_client_binary(call->request->target.key);
    item.upload = content_client_binary(BYTES_ARRAY(multipart->upload.bytes));
    item.part = part;
    item.part_etag = content_client_binary(BYTES_ARRAY(etag));
    item.part_size = size;
    item.part_chunks = upload_chunks(upload);
    TRY(upload_describe(upload, call->arena, &item));
    return object_commit_send(call, &item, NULL);
}

static struct upload_options
part_options(const struct frontend_call *call, const struct multipart *multipart, uint64_t size)
{
    return (struct upload_options){
        .tenant = &multipart->record.tenant,
        .bucket = &multipart->record.bucket,
        .data = &multipart->record.data,
        .object_key = multipart->access->result->object_key,
        .part = call->request->target.part_number,
        .size = size,
    };
}

struct status multipart_part(struct frontend_call *call)
{
    OWNED(multipart) struct multipart *multipart = NULL;
    TRY(multipart_open(call, &multipart));
    OWNED(body_source) struct body_source *source = NULL;
    TRY(body_source_open(call, multipart->access, &source));
    struct upload_options options = part_options(call, multipart, body_source_size(source));
    options.read = body_source_read;
    options.context = source;
    options.digest = body_source_digest(source);
    OWNED(upload) struct upload *upload = NULL;
    TRY(upload_run(call, &options, &upload));
    uint8_t md5[16];
    TRY(body_source_finish(source, md5));
    TRY(commit_part(call, multipart, upload, options.size, md5));

    struct attribute told[4];
    size_t count = 0;
    body_source_checksums(source, told, &count);
    char etag[OBJECT_ETAG_MAX];
    object_open_etag_text(md5, 0, etag);
    frontend_common_headers(call);
    http_response_header_printf(call->exchange->response, "etag", "\"%s\"", etag);
    return http_response_send(call->exchange->response, 200, bytes_of(NULL, 0));
}

/* Read the source's range and seal it anew, as a part. */
static struct status copy_range(
    struct frontend_call *call, struct multipart *multipart, struct object_open *source,
    uint64_t offset, uint64_t length, uint8_t ret_md5[16])
{
    OWNED(body_digest) struct body_digest *digest = NULL;
    TRY(body_digest_new(call->frontend->digests, BODY_DIGEST_MD5, &digest));
    struct upload_options options = part_options(call, multipart, length);
    OWNED(object_reader) struct object_reader *reader = NULL;
    if (length > 0) {
        TRY(object_reader_new(call, source, offset, length, &reader));
    }
    options.read = object_reader_read;
    options.context = reader;
    options.digest = digest;
    OWNED(upload) struct upload *upload = NULL;
    TRY(upload_run(call, &options, &upload));
    struct body_digest_values values;
    TRY(body_digest_end(digest, &values));
    memcpy(ret_md5, values.md5, sizeof(values.md5));
    return commit_part(call, multipart, upload, length, ret_md5);
}

struct status multipart_part_copy(struct frontend_call *call)
{
    const struct sigv4_target *target = &call->request->target;
    struct object_open_options from = {
        .bucket_name = target->copy_bucket, .key = target->copy_key, .length = (uint64_t)1 << 43};
    OWNED(object_open) struct object_open *source = NULL;
    TRY(object_open(call, &from, &source));
    enum s3_error error = s3_request_check_conditions(
        &call->request->copy_conditions, false, bytes_text(source->etag_text),
        (int64_t)(source->record.created_ms / 1000));
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(CONFLICT, "a condition on the source"));
    }
    uint64_t offset = 0;
    uint64_t length = 0;
    struct status range =
        s3_request_resolve_range(&call->request->copy_range, source->record.size, &offset, &length);
    if (!status_ok(range)) {
        return frontend_refuse(call, S3_ERROR_INVALID_RANGE, range);
    }
    OWNED(multipart) struct multipart *multipart = NULL;
    TRY(multipart_open(call, &multipart));
    uint8_t md5[16];
    TRY(copy_range(call, multipart, source, offset, length, md5));

    char etag[OBJECT_ETAG_MAX];
    object_open_etag_text(md5, 0, etag);
    BUFFER(xml, ANSWER_MAX);
    s3_xml_copy_result(&xml, true, bytes_text(etag), clock_wall_ms());
    return frontend_respond_xml(call, &xml);
}
