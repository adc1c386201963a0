#include "lib/s3/canonical_request.h"

#include "lib/s3/uri_code.h"

#include <stdlib.h>

/*
 * METHOD \n path \n query \n { name ":" value \n } \n signed headers \n payload hash
 */

struct status canonical_request_query(
    struct arena *arena, struct bytes query, struct sigv4_pair *parameters, size_t max,
    size_t *ret_count)
{
    size_t count = 0;
    size_t begin = 0;
    while (begin < query.size) {
        const uint8_t *found = memchr(query.data + begin, '&', query.size - begin);
        size_t end = found == NULL ? query.size : (size_t)(found - query.data);
        struct bytes name = bytes_slice(query, begin, end - begin);
        begin = end + 1;
        if (name.size == 0) {
            continue;
        }
        if (count == max) {
            return FAIL(TOO_LARGE, "too many query parameters");
        }
        struct bytes value = bytes_of("", 0);
        const uint8_t *equals = memchr(name.data, '=', name.size);
        if (equals != NULL) {
            size_t size = (size_t)(equals - name.data);
            value = bytes_from(name, size + 1);
            name = bytes_slice(name, 0, size);
        }
        TRY(uri_code_decode(arena, name, true, &parameters[count].name));
        TRY(uri_code_decode(arena, value, true, &parameters[count].value));
        count++;
    }
    *ret_count = count;
    return OK;
}

static int compare_pairs(const void *left, const void *right)
{
    const struct sigv4_pair *a = left;
    const struct sigv4_pair *b = right;
    int order = bytes_compare(a->name, b->name);
    return order != 0 ? order : bytes_compare(a->value, b->value);
}

static struct status encode_into(struct arena *arena, struct bytes *text)
{
    BUFFER(encoded, SIGV4_CANONICAL_MAX);
    uri_code_encode(&encoded, *text, false);
    TRY(buffer_status(&encoded));
    *text = arena_copy(arena, buffer_bytes(&encoded));
    return text->data == NULL ? FAIL(NO_MEMORY, "encoded parameter") : OK;
}

/* Sorted by the encoded names, then the encoded values. */
static struct status add_query(struct buffer *text, struct arena *arena, struct bytes query)
{
    struct sigv4_pair *parameters = arena_zalloc(arena, SIGV4_PARAMETERS_MAX, sizeof(*parameters));
    if (parameters == NULL) {
        return FAIL(NO_MEMORY, "query parameters");
    }
    size_t count;
    TRY(canonical_request_query(arena, query, parameters, SIGV4_PARAMETERS_MAX, &count));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(parameters[i].name, bytes_text("X-Amz-Signature"))) {
            continue;
        }
        parameters[kept] = parameters[i];
        TRY(encode_into(arena, &parameters[kept].name));
        TRY(encode_into(arena, &parameters[kept].value));
        kept++;
    }
    qsort(parameters, kept, sizeof(*parameters), compare_pairs);
    for (size_t i = 0; i < kept; i++) {
        buffer_add_text(text, i == 0 ? "" : "&");
        buffer_add(text, parameters[i].name);
        buffer_add_text(text, "=");
        buffer_add(text, parameters[i].value);
    }
    return OK;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 'a' - 'A') : byte;
}

static bool names_equal(struct bytes received, struct bytes lower_name)
{
    if (received.size != lower_name.size) {
        return false;
    }
    for (size_t i = 0; i < received.size; i++) {
        if (lower(received.data[i]) != lower_name.data[i]) {
            return false;
        }
    }
    return true;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* Without white space at the ends, and one space for each run inside. */
static void add_value(struct buffer *text, struct bytes value)
{
    bool started = false;
    for (size_t i = 0; i < value.size;) {
        size_t end = i;
        while (end < value.size && !is_space(value.data[end])) {
            end++;
        }
        if (end > i) {
            buffer_add_text(text, started ? " " : "");
            buffer_add(text, bytes_slice(value, i, end - i));
            started = true;
        }
        while (end < value.size && is_space(value.data[end])) {
            end++;
        }
        i = end;
    }
}

static struct status
add_header(struct buffer *text, const struct canonical_request_input *input, struct bytes name)
{
    size_t found = 0;
    for (size_t i = 0; i < input->header_count; i++) {
        if (names_equal(input->headers[i].name, name)) {
            if (found == 0) {
                buffer_add(text, name);
            }
            buffer_add_text(text, found == 0 ? ":" : ",");
            add_value(text, input->headers[i].value);
            found++;
        }
    }
    if (found == 0) {
        return FAIL(INVALID, "a signed header is not in the request");
    }
    buffer_add_text(text, "\n");
    return OK;
}

static struct status add_headers(struct buffer *text, const struct canonical_request_input *input)
{
    struct bytes rest = input->signed_headers;
    for (;;) {
        const uint8_t *found = rest.size == 0 ? NULL : memchr(rest.data, ';', rest.size);
        size_t size = found == NULL ? rest.size : (size_t)(found - rest.data);
        TRY(add_header(text, input, bytes_slice(rest, 0, size)));
        if (found == NULL) {
            return OK;
        }
        rest = bytes_from(rest, size + 1);
    }
}

struct status canonical_request_build(
    const struct canonical_request_input *input, struct arena *arena, struct buffer *text)
{
    size_t before = text->size;
    struct bytes path;
    TRY(uri_code_decode(arena, input->path, false, &path));
    buffer_add(text, input->method);
    buffer_add_text(text, "\n");
    uri_code_encode(text, path, true);
    buffer_add_text(text, "\n");
    TRY(add_query(text, arena, input->query));
    buffer_add_text(text, "\n");
    TRY(add_headers(text, input));
    buffer_add_text(text, "\n");
    buffer_add(text, input->signed_headers);
    buffer_add_text(text, "\n");
    buffer_add(text, input->payload_hash);
    TRY(buffer_status(text));
    if (text->size - before > SIGV4_CANONICAL_MAX) {
        return FAIL(TOO_LARGE, "canonical request");
    }
    return OK;
}
