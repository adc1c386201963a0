#include "lib/s3/sigv4_query.h"

#include "lib/s3/uri_code.h"

/* Names of parameters that choose an operation, sorted by use: ours first, then S3's others. */
static const struct {
    const char *name;
    unsigned subresource;
} SUBRESOURCES[] = {
    {"uploads", SIGV4_SUB_UPLOADS},
    {"uploadId", SIGV4_SUB_UPLOAD_ID},
    {"partNumber", SIGV4_SUB_PART_NUMBER},
    {"versionId", SIGV4_SUB_VERSION_ID},
    {"location", SIGV4_SUB_LOCATION},
    {"delete", SIGV4_SUB_DELETE},
    {"list-type", SIGV4_SUB_LIST_TYPE},
    {"versioning", SIGV4_SUB_VERSIONING},
    {"accelerate", SIGV4_SUB_OTHER},
    {"acl", SIGV4_SUB_OTHER},
    {"analytics", SIGV4_SUB_OTHER},
    {"append", SIGV4_SUB_OTHER},
    {"attributes", SIGV4_SUB_OTHER},
    {"cors", SIGV4_SUB_OTHER},
    {"encryption", SIGV4_SUB_OTHER},
    {"intelligent-tiering", SIGV4_SUB_OTHER},
    {"inventory", SIGV4_SUB_OTHER},
    {"legal-hold", SIGV4_SUB_OTHER},
    {"lifecycle", SIGV4_SUB_OTHER},
    {"logging", SIGV4_SUB_OTHER},
    {"metadataConfiguration", SIGV4_SUB_OTHER},
    {"metadataTable", SIGV4_SUB_OTHER},
    {"metrics", SIGV4_SUB_OTHER},
    {"notification", SIGV4_SUB_OTHER},
    {"object-lock", SIGV4_SUB_OTHER},
    {"ownershipControls", SIGV4_SUB_OTHER},
    {"policy", SIGV4_SUB_OTHER},
    {"policyStatus", SIGV4_SUB_OTHER},
    {"publicAccessBlock", SIGV4_SUB_OTHER},
    {"renameObject", SIGV4_SUB_OTHER},
    {"replication", SIGV4_SUB_OTHER},
    {"requestPayment", SIGV4_SUB_OTHER},
    {"restore", SIGV4_SUB_OTHER},
    {"retention", SIGV4_SUB_OTHER},
    {"select", SIGV4_SUB_OTHER},
    {"session", SIGV4_SUB_OTHER},
    {"tagging", SIGV4_SUB_OTHER},
    {"torrent", SIGV4_SUB_OTHER},
    {"versions", SIGV4_SUB_OTHER},
    {"website", SIGV4_SUB_OTHER},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct status parse_number(struct bytes text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text.size == 0 || text.size > 9) {
        return FAIL(INVALID, "a number is empty or too long");
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return FAIL(INVALID, "a number has another character");
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (value < 1 || value > max) {
        return FAIL(INVALID, "a number is out of its bounds");
    }
    *ret_value = value;
    return OK;
}

static struct status
note_parameter(struct sigv4_target *target, struct bytes name, struct bytes value)
{
    for (size_t i = 0; i < COUNT(SUBRESOURCES); i++) {
        if (bytes_equal(name, bytes_text(SUBRESOURCES[i].name))) {
            target->subresources |= SUBRESOURCES[i].subresource;
        }
    }
    if (bytes_equal(name, bytes_text("uploadId"))) {
        target->upload_id = value;
    } else if (bytes_equal(name, bytes_text("versionId"))) {
        target->version_id = value;
    } else if (bytes_equal(name, bytes_text("partNumber"))) {
        uint64_t number;
        TRY(parse_number(value, 10000, &number));
        target->part_number = (uint32_t)number;
    } else if (bytes_equal(name, bytes_text("X-Amz-Algorithm"))) {
        target->is_presigned = true;
    } else if (bytes_equal(name, bytes_text("X-Amz-Date"))) {
        target->amz_date = value;
        return target->is_presigned ? OK : FAIL(INVALID, "X-Amz-Date without X-Amz-Algorithm");
    } else if (bytes_equal(name, bytes_text("X-Amz-Expires"))) {
        uint64_t number;
        TRY(parse_number(value, SIGV4_EXPIRES_MAX_S, &number));
        target->expires_s = (int64_t)number;
    } else if (bytes_equal(name, bytes_text("list-type"))) {
        if (!bytes_equal(value, bytes_text("2"))) {
            return FAIL(INVALID, "list-type is not 2");
        }
    }
    return OK;
}

/* name "=" value, both in their canonical encoding. */
static struct status parse_parameter(
    struct arena *arena, struct bytes text, struct bytes *name, struct sigv4_pair *ret_pair)
{
    const uint8_t *equals = text.size == 0 ? NULL : memchr(text.data, '=', text.size);
    if (equals == NULL || equals == text.data) {
        return FAIL(INVALID, "a query parameter is not name=value");
    }
    size_t size = (size_t)(equals - text.data);
    struct bytes value = bytes_from(text, size + 1);
    struct bytes last = *name;
    *name = bytes_slice(text, 0, size);
    if (!uri_code_is_canonical(*name, false) || !uri_code_is_canonical(value, false)) {
        return FAIL(INVALID, "a query parameter is not encoded canonically");
    }
    if (last.data != NULL && bytes_compare(last, *name) >= 0) {
        return FAIL(INVALID, "query parameters are unsorted or repeated");
    }
    TRY(uri_code_decode(arena, *name, false, &ret_pair->name));
    return uri_code_decode(arena, value, false, &ret_pair->value);
}

struct status sigv4_query_parse(struct bytes line, struct arena *arena, struct sigv4_target *target)
{
    if (line.size == 0) {
        return OK;
    }
    struct sigv4_pair *pairs = arena_zalloc(arena, SIGV4_PARAMETERS_MAX, sizeof(*pairs));
    if (pairs == NULL) {
        return FAIL(NO_MEMORY, "query parameters");
    }
    size_t count = 0;
    struct bytes name = bytes_of(NULL, 0);
    for (size_t begin = 0; begin <= line.size; count++) {
        const uint8_t *found =
            begin == line.size ? NULL : memchr(line.data + begin, '&', line.size - begin);
        size_t end = found == NULL ? line.size : (size_t)(found - line.data);
        if (count == SIGV4_PARAMETERS_MAX) {
            return FAIL(INVALID, "too many query parameters");
        }
        struct bytes text = bytes_slice(line, begin, end - begin);
        TRY(parse_parameter(arena, text, &name, &pairs[count]));
        TRY(note_parameter(target, pairs[count].name, pairs[count].value));
        begin = end + 1;
    }
    target->parameters = pairs;
    target->parameter_count = count;
    return OK;
}
