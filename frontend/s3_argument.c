#include "frontend/s3_request.h"
#include "lib/s3/bucket_name.h"

/* The query parameters of the listing operations. */

/* A decimal number; the limit where it is more, and where the parameter is absent. */
static enum s3_error number_argument(
    const struct s3_request *request, const char *name, uint32_t limit, uint32_t absent,
    uint32_t *ret_number)
{
    struct bytes text;
    uint32_t number = 0;
    *ret_number = absent;
    if (!sigv4_target_parameter(&request->target, name, &text) || text.size == 0) {
        return S3_ERROR_NONE;
    }
    if (text.size > 10) {
        return S3_ERROR_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return S3_ERROR_INVALID_ARGUMENT;
        }
        uint32_t next = number * 10 + (uint32_t)(text.data[i] - '0');
        number = number > limit || next > limit ? limit : next;
    }
    *ret_number = number;
    return S3_ERROR_NONE;
}

/* The value of a parameter; empty where absent. */
static struct bytes text_argument(const struct s3_request *request, const char *name)
{
    struct bytes value = bytes_of("", 0);
    sigv4_target_parameter(&request->target, name, &value);
    return value;
}

static enum s3_error encoding_argument(const struct s3_request *request, bool *ret_encodes_url)
{
    struct bytes value = text_argument(request, "encoding-type");
    *ret_encodes_url = bytes_equal(value, bytes_text("url"));
    return value.size == 0 || *ret_encodes_url ? S3_ERROR_NONE : S3_ERROR_INVALID_ARGUMENT;
}

/* What is compared with keys is no longer than a key. */
static bool is_key_text(struct bytes text)
{
    return text.size == 0 || bucket_name_key_is_valid(text);
}

enum s3_error
s3_request_list_arguments(const struct s3_request *request, struct s3_list_arguments *ret)
{
    bool is_v2 = request->operation == S3_LIST_OBJECTS_V2;
    struct s3_list_arguments list = {
        .is_v2 = is_v2,
        .prefix = text_argument(request, "prefix"),
        .delimiter = text_argument(request, "delimiter"),
        .start_after = text_argument(request, is_v2 ? "start-after" : "marker"),
        .continuation = bytes_of("", 0),
        .fetches_owner =
            !is_v2 || bytes_equal(text_argument(request, "fetch-owner"), bytes_text("true")),
    };
    enum s3_error error = encoding_argument(request, &list.encodes_url);
    if (error == S3_ERROR_NONE) {
        error = number_argument(request, "max-keys", S3_LIST_MAX, S3_LIST_MAX, &list.max_keys);
    }
    if (error != S3_ERROR_NONE) {
        return error;
    }
    if (is_v2) {
        list.has_continuation =
            sigv4_target_parameter(&request->target, "continuation-token", &list.continuation);
    }
    /* An empty token would begin again from the start, for ever. */
    if ((list.has_continuation && list.continuation.size == 0) || !is_key_text(list.prefix) ||
        !is_key_text(list.delimiter) || !is_key_text(list.start_after)) {
        return S3_ERROR_INVALID_ARGUMENT;
    }
    *ret = list;
    return S3_ERROR_NONE;
}

enum s3_error
s3_request_parts_arguments(const struct s3_request *request, struct s3_parts_arguments *ret)
{
    enum s3_error error =
        number_argument(request, "part-number-marker", S3_PARTS_MAX, 0, &ret->marker);
    if (error != S3_ERROR_NONE) {
        return error;
    }
    return number_argument(request, "max-parts", S3_LIST_MAX, S3_LIST_MAX, &ret->max);
}

enum s3_error
s3_request_uploads_arguments(const struct s3_request *request, struct s3_uploads_arguments *ret)
{
    struct s3_uploads_arguments uploads = {
        .prefix = text_argument(request, "prefix"),
        .delimiter = text_argument(request, "delimiter"),
        .key_marker = text_argument(request, "key-marker"),
        .upload_id_marker = text_argument(request, "upload-id-marker"),
    };
    enum s3_error error = encoding_argument(request, &uploads.encodes_url);
    if (error == S3_ERROR_NONE) {
        error = number_argument(request, "max-uploads", S3_LIST_MAX, S3_LIST_MAX, &uploads.max);
    }
    if (error != S3_ERROR_NONE) {
        return error;
    }
    if (!is_key_text(uploads.prefix) || !is_key_text(uploads.delimiter) ||
        !is_key_text(uploads.key_marker)) {
        return S3_ERROR_INVALID_ARGUMENT;
    }
    *ret = uploads;
    return S3_ERROR_NONE;
}

bool s3_request_override(
    const struct s3_request *request, const char *header, struct bytes *ret_value)
{
    static const struct {
        const char *header;
        const char *parameter;
    } OVERRIDES[] = {
        {"content-type", "response-content-type"},
        {"content-language", "response-content-language"},
        {"expires", "response-expires"},
        {"cache-control", "response-cache-control"},
        {"content-disposition", "response-content-disposition"},
        {"content-encoding", "response-content-encoding"},
    };
    for (size_t i = 0; i < sizeof(OVERRIDES) / sizeof(OVERRIDES[0]); i++) {
        if (strcmp(OVERRIDES[i].header, header) == 0) {
            return sigv4_target_parameter(&request->target, OVERRIDES[i].parameter, ret_value);
        }
    }
    return false;
}
