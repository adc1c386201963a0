#include "frontend/http_request.h"

#include <llhttp.h>
#include <strings.h>

struct status http_request_find_end(struct bytes bytes, size_t *ret_size)
{
    /* One empty line before the request line is ignored (RFC 9112, 2.2). */
    size_t begin = bytes_starts_with(bytes, bytes_text("\r\n")) ? 2 : 0;
    size_t at = begin;
    while (at < bytes.size) {
        const uint8_t *feed = memchr(bytes.data + at, '\n', bytes.size - at);
        if (feed == NULL) {
            break;
        }
        size_t end = (size_t)(feed - bytes.data);
        if (end == 0 || bytes.data[end - 1] != '\r') {
            return FAIL(INVALID, "a line feed without carriage return");
        }
        if (end == at + 1) {
            if (at == begin) {
                return FAIL(INVALID, "empty lines in the place of a request");
            }
            *ret_size = end + 1;
            return OK;
        }
        at = end + 1;
    }
    *ret_size = 0;
    return OK;
}

/* What the parser's callbacks note. */
struct head {
    struct http_request request;
    struct sigv4_pair *headers; /* In the arena. */
    size_t headers_max;
    bool is_complete;
    bool has_too_many;
};

static int note_method(llhttp_t *parser, const char *at, size_t size)
{
    struct head *head = parser->data;
    head->request.method = bytes_of(at, size);
    return 0;
}

static int note_target(llhttp_t *parser, const char *at, size_t size)
{
    struct head *head = parser->data;
    head->request.target = bytes_of(at, size);
    return 0;
}

static int note_field(llhttp_t *parser, const char *at, size_t size)
{
    struct head *head = parser->data;
    if (head->request.header_count == head->headers_max) {
        head->has_too_many = true;
        return HPE_USER;
    }
    head->headers[head->request.header_count++] =
        (struct sigv4_pair){.name = bytes_of(at, size), .value = bytes_of("", 0)};
    return 0;
}

static int note_value(llhttp_t *parser, const char *at, size_t size)
{
    struct head *head = parser->data;
    if (head->request.header_count == 0) {
        return HPE_USER;
    }
    struct sigv4_pair *header = &head->headers[head->request.header_count - 1];
    if (header->value.size > 0 && size > 0) {
        return HPE_USER; /* A second span is a folded line. */
    }
    if (size > 0) {
        header->value = bytes_of(at, size);
    }
    return 0;
}

static int note_end(llhttp_t *parser)
{
    struct head *head = parser->data;
    head->is_complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_method = note_method,
    .on_url = note_target,
    .on_header_field = note_field,
    .on_header_value = note_value,
    .on_headers_complete = note_end,
};

static bool equals_ignoring_case(struct bytes value, const char *text)
{
    return value.size == strlen(text) &&
           strncasecmp((const char *)value.data, text, value.size) == 0;
}

bool http_request_header(
    const struct http_request *request, const char *name, struct bytes *ret_value)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (equals_ignoring_case(request->headers[i].name, name)) {
            *ret_value = request->headers[i].value;
            return true;
        }
    }
    return false;
}

size_t http_request_header_count(const struct http_request *request, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        count += equals_ignoring_case(request->headers[i].name, name) ? 1 : 0;
    }
    return count;
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = bytes_from(text, 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/* True if a comma-separated list has the token. */
static bool has_token(struct bytes list, const char *token)
{
    while (list.size > 0) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.data);
        if (equals_ignoring_case(trim(bytes_slice(list, 0, size)), token)) {
            return true;
        }
        list = bytes_from(list, comma == NULL ? size : size + 1);
    }
    return false;
}

static unsigned http_status_of(llhttp_errno_t error)
{
    if (error == HPE_INVALID_METHOD || error == HPE_INVALID_TRANSFER_ENCODING) {
        return 501;
    }
    return error == HPE_INVALID_VERSION || error == HPE_PAUSED_H2_UPGRADE ? 505 : 400;
}

/* Run llhttp over the head, which it must take whole and not a byte less. */
static struct status run_parser(struct bytes bytes, struct head *head, unsigned *http_status)
{
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &SETTINGS);
    parser.data = head;
    llhttp_errno_t error = llhttp_execute(&parser, (const char *)bytes.data, bytes.size);
    if (error != HPE_PAUSED || !head->is_complete) {
        *http_status = head->has_too_many ? 431 : http_status_of(error);
        return FAIL(INVALID, "not an HTTP request");
    }
    if (parser.http_major != 1 || parser.http_minor > 1) {
        *http_status = 505;
        return FAIL(INVALID, "another version than HTTP/1.0 and 1.1");
    }
    head->request.is_http_1_0 = parser.http_minor == 0;
    /* llhttp pauses on the last line feed, or right behind it. */
    const uint8_t *at = (const uint8_t *)llhttp_get_error_pos(&parser);
    if (at != NULL && (size_t)(at - bytes.data) + 1 < bytes.size) {
        return FAIL(INVALID, "the head ends before its end");
    }
    return OK;
}

static struct status check_header(struct sigv4_pair *header)
{
    header->value = trim(header->value);
    if (header->name.size == 0) {
        return FAIL(INVALID, "a header without a name");
    }
    for (size_t i = 0; i < header->value.size; i++) {
        uint8_t byte = header->value.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return FAIL(INVALID, "a control character in a header");
        }
    }
    return OK;
}

/* A line that begins with white space continues the one before it: nobody may send that. */
static bool has_folded_line(struct bytes bytes)
{
    return memmem(bytes.data, bytes.size, "\n ", 2) != NULL ||
           memmem(bytes.data, bytes.size, "\n\t", 2) != NULL ||
           memmem(bytes.data, bytes.size, "\n:", 2) != NULL;
}

static struct status check_host(struct http_request *request)
{
    static const char OTHERS[] = ".-:[]_~%";
    if (http_request_header_count(request, "host") != 1 ||
        !http_request_header(request, "host", &request->host) || request->host.size == 0) {
        return FAIL(INVALID, "not exactly one Host header");
    }
    for (size_t i = 0; i < request->host.size; i++) {
        uint8_t byte = request->host.data[i];
        bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9');
        if (!is_word && (byte == '\0' || strchr(OTHERS, byte) == NULL)) {
            return FAIL(INVALID, "a wrong character in Host");
        }
    }
    return OK;
}

static struct status parse_length(struct bytes text, uint64_t *ret_length)
{
    uint64_t length = 0;
    if (text.size == 0 || text.size > 18) {
        return FAIL(INVALID, "Content-Length is empty or too long");
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return FAIL(INVALID, "Content-Length is not a number");
        }
        length = length * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_length = length;
    return OK;
}

/* Exactly one way to tell where the body ends, or no body. */
static struct status set_framing(struct http_request *request, unsigned *http_status)
{
    struct bytes value;
    size_t codings = http_request_header_count(request, "transfer-encoding");
    size_t lengths = http_request_header_count(request, "content-length");
    if (codings + lengths > 1) {
        return FAIL(INVALID, "more than one length of the body");
    }
    if (http_request_header(request, "transfer-encoding", &value)) {
        if (request->is_http_1_0) {
            return FAIL(INVALID, "Transfer-Encoding in HTTP/1.0");
        }
        if (!equals_ignoring_case(value, "chunked")) {
            *http_status = 501;
            return FAIL(INVALID, "another transfer coding than chunked");
        }
        request->framing = HTTP_CHUNKED;
        return OK;
    }
    if (http_request_header(request, "content-length", &value)) {
        TRY(parse_length(value, &request->content_length));
        request->framing = request->content_length > 0 ? HTTP_CONTENT_LENGTH : HTTP_NO_BODY;
    }
    return OK;
}

static struct status set_expectation(struct http_request *request, unsigned *http_status)
{
    struct bytes value;
    if (!http_request_header(request, "expect", &value)) {
        return OK;
    }
    if (!equals_ignoring_case(value, "100-continue")) {
        *http_status = 417;
        return FAIL(INVALID, "another expectation than 100-continue");
    }
    request->expects_continue = !request->is_http_1_0;
    return OK;
}

static void set_keep_alive(struct http_request *request)
{
    bool has_close = false;
    bool has_keep = false;
    for (size_t i = 0; i < request->header_count; i++) {
        if (equals_ignoring_case(request->headers[i].name, "connection")) {
            has_close = has_close || has_token(request->headers[i].value, "close");
            has_keep = has_keep || has_token(request->headers[i].value, "keep-alive");
        }
    }
    request->keeps_alive = !has_close && (!request->is_http_1_0 || has_keep);
}

static struct status split_target(struct http_request *request)
{
    struct bytes target = request->target;
    if (target.size == 0 || target.data[0] != '/') {
        return FAIL(INVALID, "the target is not a path");
    }
    /* One space on either side; llhttp takes more. */
    if (target.data != request->method.data + request->method.size + 1 ||
        memcmp(target.data + target.size, " HTTP/1.", 8) != 0) {
        return FAIL(INVALID, "the request line has more than two spaces");
    }
    if (memchr(target.data, '#', target.size) != NULL) {
        return FAIL(INVALID, "the target has a fragment");
    }
    const uint8_t *mark = memchr(target.data, '?', target.size);
    size_t size = mark == NULL ? target.size : (size_t)(mark - target.data);
    request->path = bytes_slice(target, 0, size);
    request->query = bytes_from(target, mark == NULL ? size : size + 1);
    return OK;
}

struct status http_request_parse(
    struct bytes bytes, size_t headers_max, struct arena *arena, struct http_request *ret_request,
    unsigned *ret_http_status)
{
    *ret_http_status = 400;
    struct head head = {.headers_max = headers_max};
    head.headers = arena_zalloc(arena, headers_max, sizeof(*head.headers));
    if (head.headers == NULL) {
        *ret_http_status = 503;
        return FAIL(NO_MEMORY, "headers");
    }
    if (has_folded_line(bytes)) {
        return FAIL(INVALID, "a folded header line, or one without a name");
    }
    TRY(run_parser(bytes, &head, ret_http_status));
    struct http_request *request = &head.request;
    request->headers = head.headers;
    for (size_t i = 0; i < request->header_count; i++) {
        TRY(check_header(&head.headers[i]));
    }
    request->is_head = bytes_equal(request->method, bytes_text("HEAD"));
    TRY(split_target(request));
    TRY(check_host(request));
    TRY(set_framing(request, ret_http_status));
    TRY(set_expectation(request, ret_http_status));
    set_keep_alive(request);
    *ret_request = *request;
    return OK;
}
