#pragma once

/*
 * The response to the request under way.
 *
 * Headers are collected, http_response_start fixes them, the body follows in pieces: the head and
 * the first piece leave in one write. A response to HEAD sends its head only; writes of a body
 * are then taken and dropped, so handlers need not care. One thread: the worker's.
 */

#include "frontend/http_body.h"
#include "lib/base/buffer.h"

enum { HTTP_LENGTH_UNKNOWN = -1 };

struct http_response;

/* Add a header; before start only. Bytes that cannot stand in a header make start fail INVALID. */
void http_response_header(struct http_response *response, const char *name, struct bytes value);
void http_response_header_text(struct http_response *response, const char *name, const char *value);
void http_response_header_printf(
    struct http_response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Forget the headers added so far: for an error in the place of an answer. Before start only. */
void http_response_reset(struct http_response *response);

/*
 * Fix status and headers. length is the body's Content-Length (for HEAD: what GET would send), or
 * HTTP_LENGTH_UNKNOWN: chunked, to HTTP/1.0 clients until the connection closes. 204 and 304 have
 * no body. Date, Server, Connection and the framing are added here. Nothing is sent yet.
 */
MUST_CHECK struct status
http_response_start(struct http_response *response, unsigned http_status, int64_t length);

/* Send body bytes; they may be reused afterwards. CHECKs that no more than length are given.
 * TIMEOUT or CANCELLED when the client does not take them; final. */
MUST_CHECK struct status http_response_write(struct http_response *response, struct bytes bytes);

/* Send what is still held back. For a long pause between writes (keep-alive of a slow answer). */
MUST_CHECK struct status http_response_flush(struct http_response *response);

/* The body is complete. INTERNAL if bytes are missing: the connection is then aborted. */
MUST_CHECK struct status http_response_finish(struct http_response *response);

/* start, write, finish. */
MUST_CHECK struct status
http_response_send(struct http_response *response, unsigned http_status, struct bytes body);

/* Close without a clean end: the client sees that the body is not whole. After start. */
void http_response_abort(struct http_response *response);

/* Close the connection after this response. Before start. */
void http_response_close(struct http_response *response);

bool http_response_is_started(const struct http_response *response);
bool http_response_is_finished(const struct http_response *response);
/* The status given to start; 0 before. */
unsigned http_response_status(const struct http_response *response);
/* Body bytes written. */
uint64_t http_response_sent(const struct http_response *response);

/* For http_serve: an empty response. keeps_alive: the connection may go on after it. */
MUST_CHECK struct status http_response_new(
    struct arena *arena, struct http_connection *connection, const struct http_request *request,
    struct http_body *body, uint64_t rate_min, int64_t grace_ms, bool keeps_alive,
    struct http_response **ret_response);
void http_response_done(struct http_response *response);

/* For http_serve: true if it was sent whole and the connection may go on. */
bool http_response_keeps_alive(const struct http_response *response);
bool http_response_is_aborted(const struct http_response *response);
