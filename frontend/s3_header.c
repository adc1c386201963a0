#include "frontend/s3_header.h"

#include "lib/base/encode.h"
#include "lib/s3/base64.h"

#include <stdlib.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool equals(struct bytes text, const char *want)
{
    return text.size == strlen(want) && strncasecmp((const char *)text.data, want, text.size) == 0;
}

static bool begins(struct bytes text, const char *want)
{
    size_t size = strlen(want);
    return text.size >= size && strncasecmp((const char *)text.data, want, size) == 0;
}

/* Headers that change what an operation means: to ignore one would be to lie. */
enum s3_error s3_header_check_supported(const struct http_request *http)
{
    static const char *const REFUSED[] = {
        "x-amz-server-side-encryption-",
        "x-amz-copy-source-server-side-encryption-",
        "x-amz-grant-",
        "x-amz-object-lock-",
        "x-amz-bypass-governance-retention",
        "x-amz-tagging",
        "x-amz-website-redirect-location",
        "x-amz-security-token",
        "x-amz-write-offset-bytes",
    };
    for (size_t i = 0; i < http->header_count; i++) {
        struct bytes name = http->headers[i].name;
        struct bytes value = http->headers[i].value;
        for (size_t j = 0; j < COUNT(REFUSED); j++) {
            if (begins(name, REFUSED[j]) && !equals(name, "x-amz-tagging-directive")) {
                return S3_ERROR_NOT_IMPLEMENTED;
            }
        }
        if (equals(name, "x-amz-server-side-encryption") && !equals(value, "AES256")) {
            return S3_ERROR_NOT_IMPLEMENTED;
        }
        if (equals(name, "x-amz-acl") && !equals(value, "private") &&
            !equals(value, "bucket-owner-full-control")) {
            return S3_ERROR_NOT_IMPLEMENTED;
        }
    }
    return S3_ERROR_NONE;
}

/* A base64 header of exactly size bytes; false in *ret_has where absent. */
static bool digest_header(
    const struct http_request *http, const char *name, uint8_t *to, size_t size, bool *ret_has)
{
    struct bytes value;
    *ret_has = http_request_header(http, name, &value);
    return !*ret_has || base64_decode(value, to, size);
}

/* "x-amz-checksum-crc32, ...": each must be one that we can check. */
static enum s3_error trailer_header(const struct http_request *http, struct s3_checksums *checksums)
{
    struct bytes list;
    if (!http_request_header(http, "x-amz-trailer", &list)) {
        return S3_ERROR_NONE;
    }
    if (!checksums->is_aws_chunked) {
        return S3_ERROR_INVALID_REQUEST;
    }
    if (equals(list, "x-amz-checksum-crc32")) {
        checksums->trailer_crc32 = true;
    } else if (equals(list, "x-amz-checksum-crc32c")) {
        checksums->trailer_crc32c = true;
    } else if (equals(list, "x-amz-checksum-crc64nvme")) {
        checksums->trailer_crc64 = true;
    } else if (equals(list, "x-amz-checksum-sha256")) {
        checksums->trailer_sha256 = true;
    } else {
        return S3_ERROR_NOT_IMPLEMENTED;
    }
    return S3_ERROR_NONE;
}

static enum s3_error decoded_length(const struct http_request *http, struct s3_checksums *checksums)
{
    struct bytes text;
    checksums->decoded_length = -1;
    if (!http_request_header(http, "x-amz-decoded-content-length", &text)) {
        return checksums->is_aws_chunked ? S3_ERROR_MISSING_CONTENT_LENGTH : S3_ERROR_NONE;
    }
    int64_t length = 0;
    if (text.size == 0 || text.size > 18) {
        return S3_ERROR_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return S3_ERROR_INVALID_ARGUMENT;
        }
        length = length * 10 + (text.data[i] - '0');
    }
    checksums->decoded_length = length;
    return S3_ERROR_NONE;
}

/* On CompleteMultipartUpload the checksum headers speak of the object, not of the XML. */
static bool checksums_are_of_body(enum s3_operation operation)
{
    return operation == S3_PUT_OBJECT || operation == S3_UPLOAD_PART ||
           operation == S3_DELETE_OBJECTS;
}

static enum s3_error
checksum_headers(const struct http_request *http, struct s3_checksums *checksums)
{
    struct bytes value;
    uint8_t crc32[4] = {0};
    uint8_t crc32c[4] = {0};
    uint8_t crc64[8] = {0};
    if (!digest_header(http, "x-amz-checksum-crc32", crc32, 4, &checksums->has_crc32) ||
        !digest_header(http, "x-amz-checksum-crc32c", crc32c, 4, &checksums->has_crc32c) ||
        !digest_header(http, "x-amz-checksum-crc64nvme", crc64, 8, &checksums->has_crc64) ||
        !digest_header(
            http, "x-amz-checksum-sha256", checksums->sha256, 32, &checksums->has_sha256_header)) {
        return S3_ERROR_INVALID_REQUEST;
    }
    checksums->crc32 = decode_u32(crc32);
    checksums->crc32c = decode_u32(crc32c);
    checksums->crc64 = decode_u64(crc64);
    bool has_sha1 = http_request_header(http, "x-amz-checksum-sha1", &value);
    return has_sha1 ? S3_ERROR_NOT_IMPLEMENTED : S3_ERROR_NONE;
}

enum s3_error s3_header_checksums(const struct http_request *http, struct s3_request *request)
{
    struct s3_checksums *checksums = &request->checksums;
    enum sigv4_payload payload = request->target.payload;
    checksums->is_aws_chunked =
        payload != SIGV4_PAYLOAD_SHA256 && payload != SIGV4_PAYLOAD_UNSIGNED;
    if (!digest_header(http, "content-md5", checksums->md5, 16, &checksums->has_md5)) {
        return S3_ERROR_INVALID_DIGEST;
    }
    enum s3_error error = decoded_length(http, checksums);
    if (error == S3_ERROR_NONE) {
        error = trailer_header(http, checksums);
    }
    if (error == S3_ERROR_NONE && checksums_are_of_body(request->operation)) {
        error = checksum_headers(http, checksums);
    }
    return error;
}

/* ---- Attributes ---- */

static bool is_stored(struct bytes name)
{
    static const char *const STORED[] = {
        "cache-control",    "content-disposition", "content-encoding",
        "content-language", "content-type",        "expires",
    };
    for (size_t i = 0; i < COUNT(STORED); i++) {
        if (equals(name, STORED[i])) {
            return true;
        }
    }
    return begins(name, "x-amz-meta-");
}

static struct bytes lower(struct arena *arena, struct bytes name)
{
    uint8_t *text = arena_alloc(arena, name.size);
    for (size_t i = 0; text != NULL && i < name.size; i++) {
        uint8_t byte = name.data[i];
        text[i] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 'a' - 'A') : byte;
    }
    return bytes_of(text, name.size);
}

/* Content-Encoding without the "aws-chunked" that only frames the upload. */
static struct bytes without_aws_chunked(struct bytes value)
{
    static const char WORD[] = "aws-chunked";
    if (!begins(value, WORD)) {
        return value;
    }
    value = bytes_from(value, sizeof(WORD) - 1);
    while (value.size > 0 && (value.data[0] == ',' || value.data[0] == ' ')) {
        value = bytes_from(value, 1);
    }
    return value;
}

static int compare_names(const void *left, const void *right)
{
    const struct sigv4_pair *a = left;
    const struct sigv4_pair *b = right;
    return bytes_compare(a->name, b->name);
}

/* One value for a name, as if it had come once with commas between. */
static bool join(struct arena *arena, struct sigv4_pair *to, struct bytes value)
{
    size_t size = to->value.size + 1 + value.size;
    uint8_t *text = arena_alloc(arena, size);
    if (text == NULL) {
        return false;
    }
    memcpy(text, to->value.data, to->value.size);
    text[to->value.size] = ',';
    memcpy(text + to->value.size + 1, value.data, value.size);
    to->value = bytes_of(text, size);
    return true;
}

/* Add one to the list, or its value to the one of the same name. */
static bool add_attribute(
    struct arena *arena, struct sigv4_pair *list, size_t *count, struct sigv4_pair attribute)
{
    for (size_t i = 0; i < *count; i++) {
        if (bytes_equal(list[i].name, attribute.name)) {
            return join(arena, &list[i], attribute.value);
        }
    }
    list[(*count)++] = attribute;
    return true;
}

enum s3_error s3_header_attributes(
    const struct http_request *http, struct arena *arena, struct s3_request *request)
{
    size_t count = 0;
    size_t metadata_size = 0;
    struct sigv4_pair *list = arena_zalloc(arena, http->header_count, sizeof(*list));
    for (size_t i = 0; list != NULL && i < http->header_count; i++) {
        struct sigv4_pair attribute = http->headers[i];
        if (!is_stored(attribute.name)) {
            continue;
        }
        attribute.name = lower(arena, attribute.name);
        if (equals(attribute.name, "content-encoding")) {
            attribute.value = without_aws_chunked(attribute.value);
            if (attribute.value.size == 0) {
                continue;
            }
        }
        if (begins(attribute.name, "x-amz-meta-")) {
            metadata_size += attribute.name.size - strlen("x-amz-meta-") + attribute.value.size;
        }
        if (attribute.name.data == NULL || !add_attribute(arena, list, &count, attribute)) {
            return S3_ERROR_SERVICE_UNAVAILABLE;
        }
    }
    if (list == NULL) {
        return S3_ERROR_SERVICE_UNAVAILABLE;
    }
    if (metadata_size > S3_METADATA_MAX) {
        return S3_ERROR_METADATA_TOO_LARGE;
    }
    qsort(list, count, sizeof(*list), compare_names);
    request->attributes = list;
    request->attribute_count = count;
    return S3_ERROR_NONE;
}
