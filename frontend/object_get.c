#include "frontend/object_get.h"

#include "frontend/frontend_metrics.h"
#include "frontend/object_reader.h"
#include "lib/s3/s3_time.h"

#include <inttypes.h>
#include <stdlib.h>

/* Headers that a request may override with response-*. */
static const char *const OVERRIDES[] = {
    "cache-control",    "content-disposition", "content-encoding",
    "content-language", "content-type",        "expires",
};

static bool is_override(struct bytes name)
{
    for (size_t i = 0; i < sizeof(OVERRIDES) / sizeof(OVERRIDES[0]); i++) {
        if (bytes_equal(name, bytes_text(OVERRIDES[i]))) {
            return true;
        }
    }
    return false;
}

static void override_headers(struct frontend_call *call, const struct object_open *object)
{
    for (size_t i = 0; i < sizeof(OVERRIDES) / sizeof(OVERRIDES[0]); i++) {
        struct bytes value;
        if (s3_request_override(call->request, OVERRIDES[i], &value) ||
            object_open_attribute(object, OVERRIDES[i], &value)) {
            http_response_header(call->exchange->response, OVERRIDES[i], value);
        } else if (strcmp(OVERRIDES[i], "content-type") == 0) {
            http_response_header_text(
                call->exchange->response, "content-type", "binary/octet-stream");
        }
    }
}

/* Checksums are told only when asked for, and of the whole object. */
static bool wants_checksums(const struct frontend_call *call)
{
    struct bytes mode;
    return call->request->range.kind == S3_RANGE_NONE &&
           sigv4_target_header(&call->request->target, "x-amz-checksum-mode", &mode) &&
           bytes_equal(mode, bytes_text("ENABLED"));
}

/* What also a 304 carries. */
static void validators(struct frontend_call *call, const struct object_open *object)
{
    struct http_response *response = call->exchange->response;
    frontend_common_headers(call);
    http_response_header_printf(response, "etag", "\"%s\"", object->etag_text);
    char modified[S3_TIME_HTTP_SIZE + 1];
    s3_time_format_http((int64_t)(object->record.created_ms / 1000), modified);
    http_response_header_text(response, "last-modified", modified);
}

static void object_headers(struct frontend_call *call, const struct object_open *object)
{
    struct http_response *response = call->exchange->response;
    bool with_checksums = wants_checksums(call);
    validators(call, object);
    http_response_header_text(response, "accept-ranges", "bytes");
    override_headers(call, object);
    for (size_t i = 0; i < object->attribute_count; i++) {
        struct bytes name = object->attributes[i].name;
        bool is_checksum = bytes_starts_with(name, bytes_text("x-amz-checksum-"));
        char *text = arena_text(call->arena, name);
        if (text != NULL && !is_override(name) && (!is_checksum || with_checksums)) {
            http_response_header(response, text, object->attributes[i].value);
        }
    }
}

/* What to look up: the row, and the pages that the range needs. */
static struct object_open_options options_of(const struct frontend_call *call)
{
    const struct s3_range *range = &call->request->range;
    struct object_open_options options = {
        .bucket_name = call->request->target.bucket,
        .key = call->request->target.key,
        .length = (uint64_t)1 << 43, /* To the end, however large. */
    };
    if (call->request->operation == S3_HEAD_OBJECT) {
        options.length = 0;
        return options;
    }
    if (range->kind == S3_RANGE_FROM || range->kind == S3_RANGE_FROM_TO) {
        options.offset = range->first;
    }
    if (range->kind == S3_RANGE_FROM_TO && range->last - range->first < options.length) {
        options.length = range->last - range->first + 1;
    }
    if (range->kind == S3_RANGE_SUFFIX) {
        options.offset = range->size;
        options.is_suffix = true;
    }
    return options;
}

static struct status check_conditions(struct frontend_call *call, const struct object_open *object)
{
    enum s3_error error = s3_request_check_conditions(
        &call->request->conditions, true, bytes_text(object->etag_text),
        (int64_t)(object->record.created_ms / 1000));
    if (error == S3_ERROR_NOT_MODIFIED) {
        validators(call, object);
        return http_response_send(call->exchange->response, 304, bytes_of(NULL, 0));
    }
    return error == S3_ERROR_NONE ? OK
                                  : frontend_refuse(call, error, FAIL(CONFLICT, "a condition"));
}

static struct status send_body(
    struct frontend_call *call, struct object_open *object, uint64_t offset, uint64_t length,
    unsigned http_status)
{
    struct http_response *response = call->exchange->response;
    if (length == 0 || call->request->operation == S3_HEAD_OBJECT) {
        TRY(http_response_start(response, http_status, (int64_t)length));
        return http_response_finish(response);
    }
    OWNED(object_reader) struct object_reader *reader = NULL;
    TRY(object_reader_new(call, object, offset, length, &reader));
    struct bytes piece;
    /* The first bytes are in our hands before anything is promised. */
    TRY(object_reader_next(reader, &piece));
    TRY(http_response_start(response, http_status, (int64_t)length));
    while (piece.size > 0) {
        metric_add(&frontend_metrics_bytes_out, (int64_t)piece.size);
        TRY(http_response_write(response, piece));
        frontend_progress(call);
        TRY(object_reader_next(reader, &piece));
    }
    return http_response_finish(response);
}

struct status object_get(struct frontend_call *call)
{
    if ((call->request->target.subresources & SIGV4_SUB_VERSION_ID) != 0) {
        return frontend_refuse(
            call, S3_ERROR_NOT_IMPLEMENTED, FAIL(UNSUPPORTED, "reads of a version"));
    }
    struct object_open_options options = options_of(call);
    OWNED(object_open) struct object_open *object = NULL;
    TRY(object_open(call, &options, &object));
    TRY(check_conditions(call, object));
    if (http_response_is_started(call->exchange->response)) {
        return OK; /* 304 */
    }
    uint64_t size = object->record.size;
    uint64_t offset = 0;
    uint64_t length = size;
    if (!status_ok(s3_request_resolve_range(&call->request->range, size, &offset, &length))) {
        return frontend_refuse(call, S3_ERROR_INVALID_RANGE, FAIL(RANGE, "range of an object"));
    }
    object_headers(call, object);
    bool is_partial = call->request->range.kind != S3_RANGE_NONE;
    if (is_partial) {
        http_response_header_printf(
            call->exchange->response, "content-range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
            offset, offset + length - 1, size);
    }
    return send_body(call, object, offset, length, is_partial ? 206 : 200);
}
