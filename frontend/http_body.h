#pragma once

/*
 * The body of the request under way, read into the caller's memory.
 *
 * A body with Content-Length goes from TLS straight there. The first read sends "100 Continue"
 * where the client waits for it, so a handler reads only after it has authorised the request.
 * A client must keep up the minimum rate of the server's options. One thread: the worker's.
 */

#include "frontend/http_request.h"

struct http_body;
struct http_connection;

/*
 * Read at most size bytes; *ret_got is 0 only at the end of the body (or if size is 0). Short
 * reads are usual; see http_body_read_full. INVALID for wrong chunked coding, TOO_LARGE beyond the
 * limit, TIMEOUT for a client that is too slow, CANCELLED for one that went away in the middle.
 * A failure is final: later reads give it again.
 */
MUST_CHECK struct status
http_body_read(struct http_body *body, void *to, size_t size, size_t *ret_got);

/* Read until size bytes are there or the body ends: *ret_got < size means its end. */
MUST_CHECK struct status
http_body_read_full(struct http_body *body, void *to, size_t size, size_t *ret_got);

/* Refuse more than limit bytes in all; the server's body_max is the limit at first. */
void http_body_limit(struct http_body *body, uint64_t limit);

/* The Content-Length; -1 for a chunked body, whose length nobody knows. 0: no body. */
int64_t http_body_length(const struct http_body *body);

/* Bytes that http_body_read gave so far. */
uint64_t http_body_taken(const struct http_body *body);

/* True once the end was read. */
bool http_body_is_finished(const struct http_body *body);

/* For http_serve: the body of a request whose head was taken from the connection's input. */
MUST_CHECK struct status http_body_new(
    struct arena *arena, struct http_connection *connection, const struct http_request *request,
    uint64_t limit, uint64_t rate_min, int64_t grace_ms, struct http_body **ret_body);

/* For http_response: true if the connection can go on once the rest of the body is dropped, and
 * that is little. */
bool http_body_can_drain(const struct http_body *body);

/* For http_serve: read and drop the rest. */
MUST_CHECK struct status http_body_drain(struct http_body *body);
