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
