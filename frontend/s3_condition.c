#include "frontend/s3_condition.h"

#include "lib/s3/s3_time.h"

#include <stdio.h>

/* Digits at the front of text; false for none, or for more than 18. */
static bool take_number(struct bytes *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t i = 0;
    while (i < text->size && text->data[i] >= '0' && text->data[i] <= '9') {
        number = number * 10 + (uint64_t)(text->data[i] - '0');
        i++;
        if (i > 18) {
            return false;
        }
    }
    *text = bytes_from(*text, i);
    *ret_number = number;
    return i > 0;
}

struct s3_range s3_condition_parse_range(struct bytes text)
{
    static const char UNIT[] = "bytes=";
    struct s3_range none = {.kind = S3_RANGE_NONE};
    struct s3_range range = none;
    if (!bytes_starts_with(text, bytes_text(UNIT))) {
        return none;
    }
    text = bytes_from(text, sizeof(UNIT) - 1);
    bool has_first = take_number(&text, &range.first);
    if (text.size == 0 || text.data[0] != '-') {
        return none;
    }
    text = bytes_from(text, 1);
    bool has_last = take_number(&text, &range.last);
    if (text.size > 0 || (!has_first && !has_last)) {
        return none;
    }
    if (!has_first) {
        return (struct s3_range){.kind = S3_RANGE_SUFFIX, .size = range.last};
    }
    if (!has_last) {
        return (struct s3_range){.kind = S3_RANGE_FROM, .first = range.first};
    }
    range.kind = S3_RANGE_FROM_TO;
    return range.first <= range.last ? range : none;
}

struct status s3_request_resolve_range(
    const struct s3_range *range, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
    uint64_t offset = 0;
    uint64_t end = size;
    switch (range->kind) {
    case S3_RANGE_NONE:
        break;
    case S3_RANGE_FROM:
        offset = range->first;
        break;
    case S3_RANGE_FROM_TO:
        offset = range->first;
        end = range->last < size ? range->last + 1 : size;
        break;
    case S3_RANGE_SUFFIX:
        offset = range->size < size ? size - range->size : 0;
        break;
    default:
        return FAIL(INTERNAL, "kind of range");
    }
    bool is_empty = offset >= end;
    if (range->kind != S3_RANGE_NONE && is_empty) {
        return FAIL(RANGE, "the range lies outside");
    }
    *ret_offset = offset;
    *ret_length = end - offset;
    return OK;
}

void s3_condition_parse(
    const struct http_request *http, const char *prefix, struct s3_conditions *ret_conditions)
{
    char name[64];
    struct bytes value;
    struct s3_conditions conditions = {.has_if_modified_since = false};
    snprintf(name, sizeof(name), "%sif-match", prefix);
    if (http_request_header(http, name, &value)) {
        conditions.if_match = value;
    }
    snprintf(name, sizeof(name), "%sif-none-match", prefix);
    if (http_request_header(http, name, &value)) {
        conditions.if_none_match = value;
    }
    snprintf(name, sizeof(name), "%sif-modified-since", prefix);
    conditions.has_if_modified_since = http_request_header(http, name, &value) &&
                                       s3_time_parse_http(value, &conditions.if_modified_since_s);
    snprintf(name, sizeof(name), "%sif-unmodified-since", prefix);
    conditions.has_if_unmodified_since =
        http_request_header(http, name, &value) &&
        s3_time_parse_http(value, &conditions.if_unmodified_since_s);
    *ret_conditions = conditions;
}

static struct bytes strip(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = bytes_from(text, 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    if (bytes_starts_with(text, bytes_text("W/"))) {
        text = bytes_from(text, 2);
    }
    if (text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"') {
        text = bytes_slice(text, 1, text.size - 2);
    }
    return text;
}

bool s3_request_etag_matches(struct bytes list, struct bytes etag)
{
    while (list.size > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);
        struct bytes one = strip(bytes_slice(list, 0, size));
        if (bytes_equal(one, bytes_text("*")) || bytes_equal(one, etag)) {
            return true;
        }
        list = bytes_from(list, comma == NULL ? size : size + 1);
    }
    return false;
}

enum s3_error s3_request_check_conditions(
    const struct s3_conditions *conditions, bool is_read, struct bytes etag, int64_t modified_s)
{
    enum s3_error unchanged = is_read ? S3_ERROR_NOT_MODIFIED : S3_ERROR_PRECONDITION_FAILED;
    /* An ETag that is asked for decides, and the date beside it is ignored. */
    if (conditions->if_match.size > 0) {
        if (!s3_request_etag_matches(conditions->if_match, etag)) {
            return S3_ERROR_PRECONDITION_FAILED;
        }
    } else if (conditions->has_if_unmodified_since) {
        if (modified_s > conditions->if_unmodified_since_s) {
            return S3_ERROR_PRECONDITION_FAILED;
        }
    }
    if (conditions->if_none_match.size > 0) {
        return s3_request_etag_matches(conditions->if_none_match, etag) ? unchanged : S3_ERROR_NONE;
    }
    bool is_old =
        conditions->has_if_modified_since && modified_s <= conditions->if_modified_since_s;
    return is_old ? unchanged : S3_ERROR_NONE;
}
