#include "frontend/http_serve.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/hex.h"
#include "lib/crypto/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static pthread_once_t id_once = PTHREAD_ONCE_INIT;
static uint64_t id_start;
static atomic_uint_fast64_t id_count;

static void start_ids(void)
{
    uint8_t random[8] = {0};
    /* Without randomness the ids are still unique within the process. */
    IGNORE(random_bytes(random, sizeof(random)));
    id_start = decode_u64(random);
}

/* Random where they begin, so that ids of two frontends or two starts do not meet. */
static void new_request_id(char text[HTTP_REQUEST_ID_SIZE + 1])
{
    uint8_t id[8];
    pthread_once(&id_once, start_ids);
    encode_u64(id, id_start + atomic_fetch_add(&id_count, 1));
    hex_encode(BYTES_ARRAY(id), text);
}

static enum http_next after_response(struct http_body *body, struct http_response *response)
{
    if (http_response_is_aborted(response)) {
        return HTTP_NEXT_CLOSE;
    }
    if (!http_response_keeps_alive(response)) {
        return HTTP_NEXT_LINGER;
    }
    return status_ok(http_body_drain(body)) ? HTTP_NEXT_REQUEST : HTTP_NEXT_CLOSE;
}

/* Answer what cannot be handled; the connection ends. */
static enum http_next refuse(
    const struct http_server_options *options, struct http_connection *connection,
    struct arena *arena, unsigned http_status, const char *request_id)
{
    struct http_response *response;
    struct status status = http_response_new(
        arena, connection, NULL, NULL, options->rate_min, options->rate_grace_ms, false, &response);
    if (!status_ok(status)) {
        return HTTP_NEXT_CLOSE;
    }
    if (options->refuse != NULL) {
        options->refuse(options->context, response, http_status, request_id);
    }
    if (!http_response_is_started(response)) {
        IGNORE(http_response_send(response, http_status, bytes_text("")));
    }
    bool is_whole = http_response_is_finished(response);
    http_response_done(response);
    return is_whole ? HTTP_NEXT_LINGER : HTTP_NEXT_CLOSE;
}

static enum http_next
run_handler(const struct http_server_options *options, struct http_exchange *exchange)
{
    struct http_response *response = exchange->response;
    options->handler(options->context, exchange);
    if (!http_response_is_started(response)) {
        http_response_reset(response);
        http_response_close(response);
        /* If it fails, the response is aborted, and after_response sees it. */
        IGNORE(http_response_send(response, 500, bytes_text("")));
    }
    if (!http_response_is_finished(response)) {
        http_response_abort(response);
    }
    return after_response(exchange->body, response);
}

/* Copy the head out of the input, whose bytes move when the body is read. */
static struct status take_head(
    const struct http_server_options *options, struct http_connection *connection,
    struct arena *arena, struct http_request *ret_request, unsigned *ret_http_status)
{
    struct bytes input = http_connection_input(connection);
    size_t size = 0;
    TRY(http_request_find_end(input, &size));
    CHECK(size > 0);
    struct bytes head = arena_copy(arena, bytes_slice(input, 0, size));
    if (head.data == NULL) {
        *ret_http_status = 503;
        return FAIL(NO_MEMORY, "head");
    }
    http_connection_use(connection, size);
    return http_request_parse(head, options->headers_max, arena, ret_request, ret_http_status);
}

enum http_next http_serve_run(
    const struct http_server_options *options, struct http_connection *connection, bool may_keep)
{
    ARENA(arena, options->arena_max);
    struct http_exchange exchange = {.arena = &arena, .started_ms = clock_monotonic_ms()};
    struct http_request request;
    unsigned http_status = 400;
    new_request_id(exchange.request_id);
    if (connection->refuse_status != 0) {
        return refuse(options, connection, &arena, connection->refuse_status, exchange.request_id);
    }
    struct status status = take_head(options, connection, &arena, &request, &http_status);
    if (status_ok(status)) {
        http_status = 503;
        status = http_body_new(
            &arena, connection, &request, options->body_max, options->rate_min,
            options->rate_grace_ms, &exchange.body);
    }
    if (status_ok(status)) {
        status = http_response_new(
            &arena, connection, &request, exchange.body, options->rate_min, options->rate_grace_ms,
            may_keep, &exchange.response);
    }
    if (!status_ok(status)) {
        return refuse(options, connection, &arena, http_status, exchange.request_id);
    }
    exchange.request = &request;
    snprintf(exchange.peer, sizeof(exchange.peer), "%s", connection->peer);
    enum http_next next = run_handler(options, &exchange);
    http_response_done(exchange.response);
    return next;
}
