#include "frontend/s3_request.h"

#include "frontend/s3_condition.h"
#include "frontend/s3_header.h"
#include "lib/base/clock.h"
#include "lib/s3/bucket_name.h"
#include "lib/s3/canonical_request.h"
#include "lib/s3/uri_code.h"

#include <strings.h>

/* What the steps of the parse share. */
struct parse {
    const struct http_request *http;
    struct bytes domain;
    struct arena *arena;
    struct s3_request *request;
    const char *why;
    struct sigv4_pair parameters[SIGV4_PARAMETERS_MAX];
    size_t parameter_count;
};

static enum s3_error fail(struct parse *parse, enum s3_error error, const char *why)
{
    parse->why = why;
    return error;
}

static bool has_parameter(const struct parse *parse, const char *name)
{
    for (size_t i = 0; i < parse->parameter_count; i++) {
        if (bytes_equal(parse->parameters[i].name, bytes_text(name))) {
            return true;
        }
    }
    return false;
}

static enum s3_error parse_query(struct parse *parse)
{
    struct status status = canonical_request_query(
        parse->arena, parse->http->query, parse->parameters, SIGV4_PARAMETERS_MAX,
        &parse->parameter_count);
    if (status.code == STATUS_TOO_LARGE) {
        return fail(parse, S3_ERROR_INVALID_REQUEST, status.where);
    }
    return status_ok(status) ? S3_ERROR_NONE : fail(parse, S3_ERROR_INVALID_URI, status.where);
}

/* Bucket name and key alone, for the errors that clients know by their codes. */
static enum s3_error check_path(struct parse *parse)
{
    struct bytes path;
    struct status status = uri_code_decode(parse->arena, parse->http->path, false, &path);
    if (!status_ok(status)) {
        return fail(parse, S3_ERROR_INVALID_URI, status.where);
    }
    if (memchr(path.data, '\0', path.size) != NULL) {
        return fail(parse, S3_ERROR_INVALID_URI, "NUL in the path");
    }
    if (parse->domain.size > 0) {
        return S3_ERROR_NONE; /* sigv4_target knows which part is which. */
    }
    struct bytes rest = bytes_from(path, 1);
    const uint8_t *slash = rest.size == 0 ? NULL : memchr(rest.data, '/', rest.size);
    size_t size = slash == NULL ? rest.size : (size_t)(slash - rest.data);
    if (rest.size > 0 && !bucket_name_is_valid(bytes_slice(rest, 0, size))) {
        return fail(parse, S3_ERROR_INVALID_BUCKET_NAME, "bucket name");
    }
    if (slash != NULL && rest.size - size - 1 > BUCKET_NAME_KEY_MAX) {
        return fail(parse, S3_ERROR_KEY_TOO_LONG, "key is longer than 1,024 bytes");
    }
    return S3_ERROR_NONE;
}

static enum s3_error parse_header_authorization(struct parse *parse, struct bytes value)
{
    struct bytes timestamp;
    if (http_request_header_count(parse->http, "authorization") > 1) {
        return fail(parse, S3_ERROR_INVALID_REQUEST, "two Authorization headers");
    }
    if (!http_request_header(parse->http, "x-amz-date", &timestamp)) {
        return fail(parse, S3_ERROR_ACCESS_DENIED, "no x-amz-date");
    }
    struct status status = sigv4_parse_header(value, timestamp, &parse->request->authorization);
    if (status.code == STATUS_UNSUPPORTED) {
        return fail(parse, S3_ERROR_INVALID_REQUEST, status.where);
    }
    if (!status_ok(status)) {
        return fail(parse, S3_ERROR_AUTHORIZATION_HEADER_MALFORMED, status.where);
    }
    return S3_ERROR_NONE;
}

static enum s3_error parse_query_authorization(struct parse *parse)
{
    struct status status = sigv4_parse_query(
        parse->parameters, parse->parameter_count, &parse->request->authorization);
    if (!status_ok(status)) {
        return fail(parse, S3_ERROR_AUTHORIZATION_QUERY_PARAMETERS, status.where);
    }
    return S3_ERROR_NONE;
}

static enum s3_error parse_authorization(struct parse *parse)
{
    struct bytes value;
    bool is_presigned = has_parameter(parse, "X-Amz-Algorithm");
    if (http_request_header(parse->http, "authorization", &value)) {
        return is_presigned ? fail(parse, S3_ERROR_INVALID_REQUEST, "signed twice")
                            : parse_header_authorization(parse, value);
    }
    if (is_presigned) {
        return parse_query_authorization(parse);
    }
    return fail(parse, S3_ERROR_ACCESS_DENIED, "not signed");
}

static enum s3_error check_time(struct parse *parse)
{
    const struct sigv4_authorization *authorization = &parse->request->authorization;
    int64_t now_s = clock_wall_s();
    struct status status = sigv4_check_time(authorization->time_s, authorization->expires_s, now_s);
    if (status_ok(status)) {
        return S3_ERROR_NONE;
    }
    bool is_over = authorization->is_presigned && authorization->time_s <= now_s;
    return fail(
        parse, is_over ? S3_ERROR_REQUEST_EXPIRED : S3_ERROR_REQUEST_TIME_SKEWED, status.where);
}

static bool is_signed(struct bytes list, struct bytes name)
{
    while (list.size > 0) {
        const uint8_t *end = memchr(list.data, ';', list.size);
        size_t size = end == NULL ? list.size : (size_t)(end - list.data);
        if (size == name.size &&
            strncasecmp((const char *)list.data, (const char *)name.data, size) == 0) {
            return true;
        }
        list = bytes_from(list, end == NULL ? size : size + 1);
    }
    return false;
}

/* Every x-amz-* header means something to us, so each must be under the signature. */
static enum s3_error check_signed(struct parse *parse)
{
    for (size_t i = 0; i < parse->http->header_count; i++) {
        struct bytes name = parse->http->headers[i].name;
        bool is_amz = name.size > 6 && strncasecmp((const char *)name.data, "x-amz-", 6) == 0;
        if (is_amz && !is_signed(parse->request->authorization.signed_headers, name)) {
            return fail(parse, S3_ERROR_ACCESS_DENIED, "an x-amz- header is not signed");
        }
    }
    return S3_ERROR_NONE;
}

static enum s3_error build_canonical(struct parse *parse)
{
    struct bytes payload_hash = bytes_text("UNSIGNED-PAYLOAD");
    bool has_hash = http_request_header(parse->http, "x-amz-content-sha256", &payload_hash);
    if (!has_hash && !parse->request->authorization.is_presigned) {
        return fail(parse, S3_ERROR_INVALID_REQUEST, "no x-amz-content-sha256");
    }
    const struct canonical_request_input input = {
        .method = parse->http->method,
        .path = parse->http->path,
        .query = parse->http->query,
        .headers = parse->http->headers,
        .header_count = parse->http->header_count,
        .signed_headers = parse->request->authorization.signed_headers,
        .payload_hash = payload_hash,
    };
    BUFFER(text, SIGV4_CANONICAL_MAX);
    struct status status = canonical_request_build(&input, parse->arena, &text);
    if (status.code == STATUS_NO_MEMORY) {
        return fail(parse, S3_ERROR_SERVICE_UNAVAILABLE, status.where);
    }
    if (!status_ok(status)) {
        bool is_long = status.code == STATUS_TOO_LARGE;
        return fail(
            parse, is_long ? S3_ERROR_INVALID_REQUEST : S3_ERROR_SIGNATURE_MISMATCH, status.where);
    }
    parse->request->canonical = arena_copy(parse->arena, buffer_bytes(&text));
    return parse->request->canonical.data == NULL
               ? fail(parse, S3_ERROR_SERVICE_UNAVAILABLE, "no memory")
               : S3_ERROR_NONE;
}

static enum s3_error parse_target(struct parse *parse)
{
    struct status status = sigv4_target_parse(
        parse->request->canonical, parse->domain, parse->arena, &parse->request->target);
    if (status.code == STATUS_UNSUPPORTED) {
        return fail(parse, S3_ERROR_METHOD_NOT_ALLOWED, status.where);
    }
    if (status.code == STATUS_NO_MEMORY) {
        return fail(parse, S3_ERROR_SERVICE_UNAVAILABLE, status.where);
    }
    if (!status_ok(status)) {
        return fail(parse, S3_ERROR_INVALID_ARGUMENT, status.where);
    }
    parse->request->operation = s3_operation_of(&parse->request->target);
    if (parse->request->operation == S3_NOT_IMPLEMENTED) {
        return fail(parse, S3_ERROR_NOT_IMPLEMENTED, "an operation that we do not have");
    }
    return S3_ERROR_NONE;
}

static bool stores_attributes(enum s3_operation operation)
{
    return operation == S3_PUT_OBJECT || operation == S3_COPY_OBJECT ||
           operation == S3_CREATE_MULTIPART_UPLOAD;
}

static enum s3_error parse_headers(struct parse *parse)
{
    struct s3_request *request = parse->request;
    const struct http_request *http = parse->http;
    struct bytes value;
    enum s3_error error = s3_header_check_supported(http);
    if (error == S3_ERROR_NONE) {
        error = s3_header_checksums(http, request);
    }
    if (error == S3_ERROR_NONE && stores_attributes(request->operation)) {
        error = s3_header_attributes(http, parse->arena, request);
    }
    if (error != S3_ERROR_NONE) {
        return fail(parse, error, "a header");
    }
    bool takes_body = request->operation == S3_PUT_OBJECT || request->operation == S3_UPLOAD_PART;
    if (takes_body && http->framing == HTTP_NO_BODY &&
        http_request_header_count(http, "content-length") == 0) {
        return fail(parse, S3_ERROR_MISSING_CONTENT_LENGTH, "no Content-Length");
    }
    if (http_request_header(http, "range", &value)) {
        request->range = s3_condition_parse_range(value);
    }
    if (http_request_header(http, "x-amz-copy-source-range", &value)) {
        request->copy_range = s3_condition_parse_range(value);
        if (request->copy_range.kind != S3_RANGE_FROM_TO) {
            return fail(parse, S3_ERROR_INVALID_ARGUMENT, "x-amz-copy-source-range");
        }
    }
    s3_condition_parse(http, "", &request->conditions);
    s3_condition_parse(http, "x-amz-copy-source-", &request->copy_conditions);
    request->replaces_metadata = http_request_header(http, "x-amz-metadata-directive", &value) &&
                                 bytes_equal(value, bytes_text("REPLACE"));
    return S3_ERROR_NONE;
}

typedef enum s3_error step_fn(struct parse *parse);

enum s3_error s3_request_parse(
    const struct http_request *http, struct bytes domain, struct arena *arena,
    struct s3_request **ret_request, const char **ret_why)
{
    static step_fn *const STEPS[] = {
        parse_query,  check_path,      parse_authorization, check_time,
        check_signed, build_canonical, parse_target,        parse_headers,
    };
    struct parse parse = {.http = http, .domain = domain, .arena = arena};
    struct s3_request *request = arena_zalloc(arena, 1, sizeof(*request));
    if (request == NULL) {
        *ret_why = "no memory";
        return S3_ERROR_SERVICE_UNAVAILABLE;
    }
    request->operation = S3_NOT_IMPLEMENTED;
    parse.request = request;
    *ret_request = request;
    for (size_t i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++) {
        enum s3_error error = STEPS[i](&parse);
        if (error != S3_ERROR_NONE) {
            *ret_why = parse.why;
            return error;
        }
    }
    *ret_why = "";
    return S3_ERROR_NONE;
}
