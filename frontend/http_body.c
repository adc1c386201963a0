#include "frontend/http_body.h"

#include "frontend/http_connection.h"

#include <llhttp.h>

enum {
    DRAIN_MAX = 64 * 1024,
    OVERHEAD_MAX = 64 * 1024, /* Of chunked coding, besides eight bytes for each of the body. */
};

struct http_body {
    struct http_connection *connection; /* Outlives us. */
    struct http_pace pace;
    enum http_framing framing;
    bool awaits_continue; /* "100 Continue" was not sent yet. */
    bool is_finished;
    struct status failed; /* The first failure; it stays. */
    uint64_t length;      /* Of HTTP_CONTENT_LENGTH. */
    uint64_t taken;
    uint64_t limit;
    llhttp_t chunks;   /* Of HTTP_CHUNKED. */
    uint64_t raw;      /* Bytes of chunked coding read. */
    uint8_t *chunk_to; /* While the parser runs: where the next body byte goes. */
};

static int take_chunk_data(llhttp_t *parser, const char *at, size_t size)
{
    struct http_body *body = parser->data;
    memcpy(body->chunk_to, at, size);
    body->chunk_to += size;
    return 0;
}

static int end_chunks(llhttp_t *parser)
{
    struct http_body *body = parser->data;
    body->is_finished = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_body = take_chunk_data,
    .on_message_complete = end_chunks,
};

/* The parser is set in front of a chunked body by a head that says so. */
static struct status start_chunks(struct http_body *body)
{
    static const char HEAD[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    llhttp_init(&body->chunks, HTTP_REQUEST, &SETTINGS);
    body->chunks.data = body;
    if (llhttp_execute(&body->chunks, HEAD, sizeof(HEAD) - 1) != HPE_OK) {
        return FAIL(INTERNAL, "chunk parser");
    }
    return OK;
}

static struct status send_continue(struct http_body *body)
{
    static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!body->awaits_continue) {
        return OK;
    }
    body->awaits_continue = false;
    /* A client that did not wait needs no answer. */
    if (http_connection_input(body->connection).size > 0) {
        return OK;
    }
    return http_connection_write(body->connection, bytes_text(CONTINUE), &body->pace);
}

struct status http_body_new(
    struct arena *arena, struct http_connection *connection, const struct http_request *request,
    uint64_t limit, uint64_t rate_min, int64_t grace_ms, struct http_body **ret_body)
{
    struct http_body *body = arena_zalloc(arena, 1, sizeof(*body));
    if (body == NULL) {
        return FAIL(NO_MEMORY, "body");
    }
    body->connection = connection;
    body->pace = http_connection_pace(rate_min, grace_ms);
    body->framing = request->framing;
    body->length = request->content_length;
    body->limit = limit;
    body->awaits_continue = request->expects_continue;
    body->is_finished = request->framing == HTTP_NO_BODY;
    if (body->framing == HTTP_CHUNKED) {
        TRY(start_chunks(body));
    }
    if (body->is_finished) {
        /* Nothing will ever be read, but botocore mistakes the answers of a connection on which
         * an expectation once met a final answer. */
        TRY(send_continue(body));
    }
    *ret_body = body;
    return OK;
}

static struct status read_plain(struct http_body *body, uint8_t *to, size_t size, size_t *ret_got)
{
    uint64_t left = body->length - body->taken;
    size = left < size ? (size_t)left : size;
    struct bytes input = http_connection_input(body->connection);
    if (input.size > 0) {
        size = input.size < size ? input.size : size;
        memcpy(to, input.data, size);
        http_connection_use(body->connection, size);
        *ret_got = size;
    } else {
        TRY(http_connection_read(body->connection, to, size, &body->pace, ret_got));
    }
    body->is_finished = body->taken + *ret_got == body->length;
    return OK;
}

/* Let the parser take at most size bytes of input: it makes no more than that of the body. */
static struct status parse_chunks(struct http_body *body, uint8_t *to, size_t size, size_t *ret_got)
{
    struct bytes input = http_connection_input(body->connection);
    size = input.size < size ? input.size : size;
    body->chunk_to = to;
    const char *from = (const char *)input.data;
    llhttp_errno_t error = llhttp_execute(&body->chunks, from, size);
    if (error == HPE_PAUSED && body->is_finished) {
        const char *end = llhttp_get_error_pos(&body->chunks);
        size_t used = end == NULL ? size : (size_t)(end - from);
        /* The pause may stand on the last line feed. */
        size = used < size && from[used] == '\n' ? used + 1 : used;
    } else if (error != HPE_OK) {
        return FAIL(INVALID, "wrong chunked coding");
    }
    http_connection_use(body->connection, size);
    *ret_got = (size_t)(body->chunk_to - to);
    body->raw += size;
    if (body->raw > OVERHEAD_MAX + (body->taken + *ret_got) * 9) {
        return FAIL(TOO_LARGE, "more chunked coding than body");
    }
    return OK;
}

static struct status read_chunked(struct http_body *body, uint8_t *to, size_t size, size_t *ret_got)
{
    size_t got = 0;
    while (got == 0 && !body->is_finished) {
        if (http_connection_input(body->connection).size == 0) {
            TRY(http_connection_wait_fill(body->connection, &body->pace));
        }
        TRY(parse_chunks(body, to, size, &got));
    }
    *ret_got = got;
    return OK;
}

static struct status read_some(struct http_body *body, uint8_t *to, size_t size, size_t *ret_got)
{
    if (body->framing == HTTP_CONTENT_LENGTH && body->length > body->limit) {
        return FAIL(TOO_LARGE, "body is longer than allowed");
    }
    TRY(send_continue(body));
    if (body->framing == HTTP_CHUNKED) {
        TRY(read_chunked(body, to, size, ret_got));
    } else {
        TRY(read_plain(body, to, size, ret_got));
    }
    body->taken += *ret_got;
    if (body->taken > body->limit) {
        return FAIL(TOO_LARGE, "body is longer than allowed");
    }
    return OK;
}

struct status http_body_read(struct http_body *body, void *to, size_t size, size_t *ret_got)
{
    TRY(body->failed);
    if (body->is_finished || size == 0) {
        *ret_got = 0;
        return OK;
    }
    body->failed = read_some(body, to, size, ret_got);
    return body->failed;
}

struct status http_body_read_full(struct http_body *body, void *to, size_t size, size_t *ret_got)
{
    size_t done = 0;
    while (done < size) {
        size_t got = 0;
        TRY(http_body_read(body, (uint8_t *)to + done, size - done, &got));
        if (got == 0) {
            break;
        }
        done += got;
    }
    *ret_got = done;
    return OK;
}

void http_body_limit(struct http_body *body, uint64_t limit)
{
    body->limit = limit;
}

int64_t http_body_length(const struct http_body *body)
{
    return body->framing == HTTP_CHUNKED ? -1 : (int64_t)body->length;
}

uint64_t http_body_taken(const struct http_body *body)
{
    return body->taken;
}

bool http_body_is_finished(const struct http_body *body)
{
    return body->is_finished;
}

bool http_body_can_drain(const struct http_body *body)
{
    if (body->is_finished) {
        return true;
    }
    /* Who waits for "100 Continue" and does not get it may send the body or the next request:
     * nobody can tell, so such a connection ends. */
    return status_ok(body->failed) && !body->awaits_continue &&
           body->framing == HTTP_CONTENT_LENGTH && body->length - body->taken <= DRAIN_MAX;
}

struct status http_body_drain(struct http_body *body)
{
    uint8_t dropped[4096];
    while (!body->is_finished) {
        size_t got;
        body->limit = UINT64_MAX;
        TRY(http_body_read(body, dropped, sizeof(dropped), &got));
    }
    return OK;
}
