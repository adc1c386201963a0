#include "lib/s3/sigv4_target.h"

#include "lib/base/hex.h"
#include "lib/s3/bucket_name.h"
#include "lib/s3/sigv4_query.h"
#include "lib/s3/uri_code.h"

/*
 * verb LF path LF query LF { name ":" value LF } LF signed headers LF payload hash
 */

static const struct {
    const char *name;
    enum sigv4_verb verb;
} VERBS[] = {
    {"GET", SIGV4_GET},   {"HEAD", SIGV4_HEAD},     {"PUT", SIGV4_PUT},
    {"POST", SIGV4_POST}, {"DELETE", SIGV4_DELETE},
};

static const struct {
    const char *text;
    enum sigv4_payload payload;
} PAYLOADS[] = {
    {"UNSIGNED-PAYLOAD", SIGV4_PAYLOAD_UNSIGNED},
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGV4_PAYLOAD_STREAMING},
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIGV4_PAYLOAD_STREAMING_TRAILER},
    {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGV4_PAYLOAD_UNSIGNED_TRAILER},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The next line, without its line feed, which must be there. */
static struct status take_line(struct bytes *rest, struct bytes *ret_line)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    if (end == NULL) {
        return FAIL(INVALID, "canonical request is cut off");
    }
    size_t size = (size_t)(end - rest->data);
    *ret_line = bytes_slice(*rest, 0, size);
    *rest = bytes_from(*rest, size + 1);
    return OK;
}

static struct status parse_verb(struct bytes line, enum sigv4_verb *ret_verb)
{
    for (size_t i = 0; i < COUNT(VERBS); i++) {
        if (bytes_equal(line, bytes_text(VERBS[i].name))) {
            *ret_verb = VERBS[i].verb;
            return OK;
        }
    }
    return FAIL(UNSUPPORTED, "another method than GET, HEAD, PUT, POST, DELETE");
}

/* Printable, without white space at its ends or twice in a row: as AWS trims it. */
static bool is_canonical_value(struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte < ' ' || byte == 0x7f) {
            return false;
        }
        bool is_end = i == 0 || i + 1 == value.size;
        if (byte == ' ' && (is_end || value.data[i + 1] == ' ')) {
            return false;
        }
    }
    return true;
}

static struct status
note_header(struct sigv4_target *target, struct arena *arena, const struct sigv4_pair *header)
{
    if (bytes_equal(header->name, bytes_text("host"))) {
        target->host = header->value;
    } else if (bytes_equal(header->name, bytes_text("x-amz-content-sha256"))) {
        target->content_sha256 = header->value;
    } else if (bytes_equal(header->name, bytes_text("x-amz-date"))) {
        if (target->is_presigned) {
            return FAIL(INVALID, "x-amz-date in the query and in a header");
        }
        target->amz_date = header->value;
    } else if (bytes_equal(header->name, bytes_text("x-amz-copy-source"))) {
        target->has_copy_source = true;
        return sigv4_target_copy_source(
            arena, header->value, &target->copy_bucket, &target->copy_key,
            &target->copy_version_id);
    }
    return OK;
}

/* The header lines, up to the empty line behind them. */
static struct status
parse_headers(struct bytes *rest, struct arena *arena, struct sigv4_target *target)
{
    struct sigv4_pair *pairs = arena_zalloc(arena, SIGV4_HEADERS_MAX, sizeof(*pairs));
    if (pairs == NULL) {
        return FAIL(NO_MEMORY, "headers");
    }
    size_t count = 0;
    for (;; count++) {
        struct bytes line;
        TRY(take_line(rest, &line));
        if (line.size == 0) {
            break;
        }
        const uint8_t *colon = memchr(line.data, ':', line.size);
        if (colon == NULL || count == SIGV4_HEADERS_MAX) {
            return FAIL(INVALID, "a header is not name:value, or there are too many");
        }
        size_t size = (size_t)(colon - line.data);
        pairs[count].name = bytes_slice(line, 0, size);
        pairs[count].value = bytes_from(line, size + 1);
        if (!is_canonical_value(pairs[count].value)) {
            return FAIL(INVALID, "a header's value is not trimmed");
        }
        TRY(note_header(target, arena, &pairs[count]));
    }
    target->headers = pairs;
    target->header_count = count;
    return OK;
}

static bool is_name(struct bytes name)
{
    static const char OTHERS[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = name.data[i];
        bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
        if (!is_word && (byte == '\0' || strchr(OTHERS, byte) == NULL)) {
            return false;
        }
    }
    return name.size > 0;
}

/* The signed headers are the names of the header lines, in order, each once. */
static struct status check_signed_headers(const struct sigv4_target *target)
{
    struct bytes rest = target->signed_headers;
    for (size_t i = 0; i < target->header_count; i++) {
        struct bytes name = target->headers[i].name;
        if (!is_name(name)) {
            return FAIL(INVALID, "a header's name has a wrong character");
        }
        if (i > 0 && bytes_compare(target->headers[i - 1].name, name) >= 0) {
            return FAIL(INVALID, "headers are unsorted or repeated");
        }
        bool is_last = i + 1 == target->header_count;
        if (!bytes_starts_with(rest, name) ||
            (is_last ? rest.size != name.size
                     : rest.size == name.size || rest.data[name.size] != ';')) {
            return FAIL(INVALID, "signed headers are not those that are there");
        }
        rest = bytes_from(rest, name.size + (is_last ? 0 : 1));
    }
    return OK;
}

struct status
sigv4_target_payload(struct bytes text, enum sigv4_payload *ret_payload, uint8_t ret_sha256[32])
{
    for (size_t i = 0; i < COUNT(PAYLOADS); i++) {
        if (bytes_equal(text, bytes_text(PAYLOADS[i].text))) {
            *ret_payload = PAYLOADS[i].payload;
            return OK;
        }
    }
    if (!hex_decode(text, ret_sha256, 32)) {
        return FAIL(INVALID, "payload hash is neither SHA-256 nor a known word");
    }
    *ret_payload = SIGV4_PAYLOAD_SHA256;
    return OK;
}

/* What must be signed is signed, and what stands twice is the same. */
static struct status check_words(const struct sigv4_target *target, struct bytes payload_hash)
{
    if (target->host.size == 0) {
        return FAIL(INVALID, "the host header is not signed");
    }
    if (target->amz_date.size == 0) {
        return FAIL(INVALID, "x-amz-date is not signed");
    }
    if (target->is_presigned != (target->expires_s > 0)) {
        return FAIL(INVALID, "X-Amz-Expires and X-Amz-Algorithm go together");
    }
    bool has_hash = target->content_sha256.size > 0;
    if (has_hash && !bytes_equal(target->content_sha256, payload_hash)) {
        return FAIL(INVALID, "x-amz-content-sha256 is not the payload hash");
    }
    if (!has_hash && !target->is_presigned) {
        return FAIL(INVALID, "x-amz-content-sha256 is not signed");
    }
    if (!has_hash && target->payload != SIGV4_PAYLOAD_UNSIGNED) {
        return FAIL(INVALID, "a presigned request without a signed payload hash");
    }
    return OK;
}

struct status sigv4_target_copy_source(
    struct arena *arena, struct bytes text, struct bytes *ret_bucket, struct bytes *ret_key,
    struct bytes *ret_version_id)
{
    static const char VERSION[] = "?versionId=";
    struct bytes path = text;
    struct bytes version = bytes_of("", 0);
    const uint8_t *found =
        text.size == 0 ? NULL : memmem(text.data, text.size, VERSION, sizeof(VERSION) - 1);
    if (found != NULL) {
        size_t size = (size_t)(found - text.data);
        path = bytes_slice(text, 0, size);
        version = bytes_from(text, size + sizeof(VERSION) - 1);
    }
    TRY(uri_code_decode(arena, path, false, &path));
    TRY(uri_code_decode(arena, version, false, &version));
    if (path.size > 0 && path.data[0] == '/') {
        path = bytes_from(path, 1);
    }
    const uint8_t *slash = path.size == 0 ? NULL : memchr(path.data, '/', path.size);
    if (slash == NULL) {
        return FAIL(INVALID, "copy source is not bucket/key");
    }
    size_t size = (size_t)(slash - path.data);
    struct bytes bucket = bytes_slice(path, 0, size);
    struct bytes key = bytes_from(path, size + 1);
    if (!bucket_name_is_valid(bucket) || !bucket_name_key_is_valid(key)) {
        return FAIL(INVALID, "copy source is not a bucket and a key");
    }
    *ret_bucket = bucket;
    *ret_key = key;
    *ret_version_id = version;
    return OK;
}

/* The bucket in front of the domain in a virtual-host request; empty in a path-style one. */
static struct bytes bucket_of_host(struct bytes host, struct bytes domain)
{
    const uint8_t *colon = memrchr(host.data, ':', host.size);
    size_t size = colon == NULL ? host.size : (size_t)(colon - host.data);
    if (domain.size == 0 || size <= domain.size + 1) {
        return bytes_of("", 0);
    }
    size_t dot = size - domain.size - 1;
    if (host.data[dot] != '.' || memcmp(host.data + dot + 1, domain.data, domain.size) != 0) {
        return bytes_of("", 0);
    }
    return bytes_slice(host, 0, dot);
}

static struct status
parse_path(struct bytes line, struct bytes domain, struct arena *arena, struct sigv4_target *target)
{
    if (line.size == 0 || line.data[0] != '/' || !uri_code_is_canonical(line, true)) {
        return FAIL(INVALID, "path is not encoded canonically");
    }
    struct bytes path;
    TRY(uri_code_decode(arena, bytes_from(line, 1), false, &path));
    target->bucket = bucket_of_host(target->host, domain);
    target->key = path;
    if (target->bucket.size == 0) {
        const uint8_t *slash = path.size == 0 ? NULL : memchr(path.data, '/', path.size);
        size_t size = slash == NULL ? path.size : (size_t)(slash - path.data);
        target->bucket = bytes_slice(path, 0, size);
        target->key = bytes_from(path, slash == NULL ? size : size + 1);
    }
    if (target->bucket.size > 0 && !bucket_name_is_valid(target->bucket)) {
        return FAIL(INVALID, "not the name of a bucket");
    }
    if (target->bucket.size == 0 && target->key.size > 0) {
        return FAIL(INVALID, "a key without a bucket");
    }
    if (target->key.size > 0 && !bucket_name_key_is_valid(target->key)) {
        return FAIL(INVALID, "key is too long or holds a NUL");
    }
    return OK;
}

struct status sigv4_target_parse(
    struct bytes canonical, struct bytes domain, struct arena *arena,
    struct sigv4_target *ret_target)
{
    if (canonical.size > SIGV4_CANONICAL_MAX) {
        return FAIL(INVALID, "canonical request is too long");
    }
    struct sigv4_target target = {.verb = SIGV4_GET};
    struct bytes rest = canonical;
    struct bytes verb;
    struct bytes path;
    struct bytes query;
    TRY(take_line(&rest, &verb));
    TRY(take_line(&rest, &path));
    TRY(take_line(&rest, &query));
    TRY(parse_verb(verb, &target.verb));
    TRY(sigv4_query_parse(query, arena, &target));
    TRY(parse_headers(&rest, arena, &target));
    TRY(take_line(&rest, &target.signed_headers));
    TRY(check_signed_headers(&target));
    TRY(sigv4_target_payload(rest, &target.payload, target.payload_sha256));
    TRY(check_words(&target, rest));
    TRY(parse_path(path, domain, arena, &target));
    *ret_target = target;
    return OK;
}

static bool
find(const struct sigv4_pair *pairs, size_t count, const char *name, struct bytes *ret_value)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(pairs[i].name, bytes_text(name))) {
            *ret_value = pairs[i].value;
            return true;
        }
    }
    return false;
}

bool sigv4_target_header(
    const struct sigv4_target *target, const char *name, struct bytes *ret_value)
{
    return find(target->headers, target->header_count, name, ret_value);
}

bool sigv4_target_parameter(
    const struct sigv4_target *target, const char *name, struct bytes *ret_value)
{
    return find(target->parameters, target->parameter_count, name, ret_value);
}
