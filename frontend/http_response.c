#include "frontend/http_response.h"

#include "frontend/http_connection.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/s3/s3_time.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    HEADERS_MAX = 32 * 1024,
    RECORD = 16 * 1024, /* What one TLS record carries: what is held back leaves by this much. */
    SMALL = 4 * 1024,   /* Pieces below are worth a copy. */
};

enum state { COLLECTING, STARTED, FINISHED, ABORTED };

struct http_response {
    struct http_connection *connection; /* Outlives us. */
    const struct http_request *request; /* Outlives us; NULL for a head that could not be parsed. */
    struct http_body *body;             /* Outlives us; NULL likewise. */
    struct http_pace pace;
    enum state state;
    bool keeps_alive;
    bool has_body; /* What is written leaves. */
    bool is_chunked;
    bool is_invalid; /* A header was wrong. */
    unsigned http_status;
    int64_t length;
    uint64_t sent;
    struct buffer headers;
    struct buffer held; /* Not sent yet; below RECORD bytes besides the head. */
};

struct status http_response_new(
    struct arena *arena, struct http_connection *connection, const struct http_request *request,
    struct http_body *body, uint64_t rate_min, int64_t grace_ms, bool keeps_alive,
    struct http_response **ret_response)
{
    struct http_response *response = arena_zalloc(arena, 1, sizeof(*response));
    if (response == NULL) {
        return FAIL(NO_MEMORY, "response");
    }
    response->connection = connection;
    response->request = request;
    response->body = body;
    response->pace = http_connection_pace(rate_min, grace_ms);
    response->keeps_alive = keeps_alive && request != NULL && request->keeps_alive;
    buffer_init(&response->headers, HEADERS_MAX);
    buffer_init(&response->held, HEADERS_MAX + 2 * RECORD);
    *ret_response = response;
    return OK;
}

void http_response_done(struct http_response *response)
{
    buffer_done(&response->headers);
    buffer_done(&response->held);
}

void http_response_header(struct http_response *response, const char *name, struct bytes value)
{
    CHECK(response->state == COLLECTING);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            response->is_invalid = true;
        }
    }
    buffer_add_text(&response->headers, name);
    buffer_add_text(&response->headers, ": ");
    buffer_add(&response->headers, value);
    buffer_add_text(&response->headers, "\r\n");
}

void http_response_header_text(struct http_response *response, const char *name, const char *value)
{
    http_response_header(response, name, bytes_text(value));
}

void http_response_header_printf(
    struct http_response *response, const char *name, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(size >= 0 && (size_t)size < sizeof(text));
    http_response_header(response, name, bytes_of(text, (size_t)size));
}

void http_response_reset(struct http_response *response)
{
    CHECK(response->state == COLLECTING);
    buffer_reset(&response->headers);
    response->is_invalid = false;
}

static const char *reason_of(unsigned http_status)
{
    static const struct {
        unsigned http_status;
        const char *reason;
    } REASONS[] = {
        {200, "OK"},
        {204, "No Content"},
        {206, "Partial Content"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++) {
        if (REASONS[i].http_status == http_status) {
            return REASONS[i].reason;
        }
    }
    return "Unknown";
}

/* The framing, and whether the connection can go on. */
static void set_framing(struct http_response *response)
{
    const struct http_request *request = response->request;
    bool is_head = request != NULL && request->is_head;
    bool is_old = request != NULL && request->is_http_1_0;
    bool is_empty = response->http_status == 204 || response->http_status == 304;
    response->has_body = !is_head && !is_empty;
    if (is_empty) {
        response->length = response->http_status == 304 ? HTTP_LENGTH_UNKNOWN : 0;
    } else if (response->length == HTTP_LENGTH_UNKNOWN && response->has_body) {
        response->is_chunked = !is_old;
        response->keeps_alive = response->keeps_alive && !is_old;
    }
    if (response->body != NULL && !http_body_can_drain(response->body)) {
        response->keeps_alive = false;
    }
}

static void add_head(struct http_response *response)
{
    char date[S3_TIME_HTTP_SIZE + 1];
    s3_time_format_http(clock_wall_s(), date);
    struct buffer *held = &response->held;
    buffer_printf(
        held, "HTTP/1.1 %u %s\r\nServer: Triad\r\nDate: %s\r\n", response->http_status,
        reason_of(response->http_status), date);
    buffer_add(held, buffer_bytes(&response->headers));
    bool may_have_length = response->http_status != 204 && response->http_status != 304;
    if (response->is_chunked) {
        buffer_add_text(held, "Transfer-Encoding: chunked\r\n");
    } else if (may_have_length && response->length != HTTP_LENGTH_UNKNOWN) {
        buffer_printf(held, "Content-Length: %lld\r\n", (long long)response->length);
    }
    bool is_old = response->request != NULL && response->request->is_http_1_0;
    if (!response->keeps_alive) {
        buffer_add_text(held, "Connection: close\r\n");
    } else if (is_old) {
        buffer_add_text(held, "Connection: keep-alive\r\n");
    }
    buffer_add_text(held, "\r\n");
}

struct status
http_response_start(struct http_response *response, unsigned http_status, int64_t length)
{
    CHECK(response->state == COLLECTING && http_status >= 200 && http_status <= 599);
    TRY(buffer_status(&response->headers));
    if (response->is_invalid) {
        return FAIL(INVALID, "a header cannot carry its value");
    }
    response->state = STARTED;
    response->http_status = http_status;
    response->length = length;
    set_framing(response);
    add_head(response);
    return buffer_status(&response->held);
}

static struct status send(struct http_response *response, struct bytes bytes)
{
    struct status status = http_connection_write(response->connection, bytes, &response->pace);
    if (!status_ok(status)) {
        response->state = ABORTED;
    }
    return status;
}

struct status http_response_flush(struct http_response *response)
{
    if (response->state != STARTED) {
        return FAIL(CANCELLED, "the response is over");
    }
    TRY(buffer_status(&response->held));
    TRY(send(response, buffer_bytes(&response->held)));
    buffer_reset(&response->held);
    return OK;
}

/* Hold small pieces, fill up the record that waits, send the rest from where it lies. */
static struct status pass_on(struct http_response *response, struct bytes bytes)
{
    size_t held = response->held.size;
    if (held > 0 || bytes.size < SMALL) {
        size_t room = held < RECORD ? RECORD - held : 0;
        size_t taken = bytes.size < room ? bytes.size : room;
        buffer_add(&response->held, bytes_slice(bytes, 0, taken));
        if (taken == bytes.size && response->held.size < RECORD) {
            return OK;
        }
        TRY(http_response_flush(response));
        bytes = bytes_from(bytes, taken);
    }
    if (bytes.size < SMALL) {
        buffer_add(&response->held, bytes);
        return OK;
    }
    return send(response, bytes);
}

struct status http_response_write(struct http_response *response, struct bytes bytes)
{
    CHECK(response->state != COLLECTING && response->state != FINISHED);
    if (response->state == ABORTED) {
        return FAIL(CANCELLED, "the response was aborted");
    }
    if (!response->has_body || bytes.size == 0) {
        return OK;
    }
    response->sent += bytes.size;
    if (response->is_chunked) {
        buffer_printf(&response->held, "%zx\r\n", bytes.size);
        TRY(pass_on(response, bytes));
        buffer_add_text(&response->held, "\r\n");
        return OK;
    }
    CHECK(response->length == HTTP_LENGTH_UNKNOWN || response->sent <= (uint64_t)response->length);
    return pass_on(response, bytes);
}

struct status http_response_finish(struct http_response *response)
{
    CHECK(response->state == STARTED || response->state == ABORTED);
    if (response->state == ABORTED) {
        return FAIL(CANCELLED, "the response was aborted");
    }
    bool is_counted = response->has_body && response->length != HTTP_LENGTH_UNKNOWN;
    if (is_counted && response->sent != (uint64_t)response->length) {
        response->state = ABORTED;
        return FAIL(INTERNAL, "the response lacks bytes");
    }
    if (response->is_chunked) {
        buffer_add_text(&response->held, "0\r\n\r\n");
    }
    TRY(http_response_flush(response));
    response->state = FINISHED;
    return OK;
}

struct status
http_response_send(struct http_response *response, unsigned http_status, struct bytes body)
{
    TRY(http_response_start(response, http_status, (int64_t)body.size));
    TRY(http_response_write(response, body));
    return http_response_finish(response);
}

void http_response_abort(struct http_response *response)
{
    response->state = ABORTED;
}

void http_response_close(struct http_response *response)
{
    CHECK(response->state == COLLECTING);
    response->keeps_alive = false;
}

bool http_response_is_started(const struct http_response *response)
{
    return response->state != COLLECTING;
}

bool http_response_is_finished(const struct http_response *response)
{
    return response->state == FINISHED;
}

bool http_response_is_aborted(const struct http_response *response)
{
    return response->state == ABORTED;
}

bool http_response_keeps_alive(const struct http_response *response)
{
    return response->state == FINISHED && response->keeps_alive;
}

unsigned http_response_status(const struct http_response *response)
{
    return response->http_status;
}

uint64_t http_response_sent(const struct http_response *response)
{
    return response->sent;
}
