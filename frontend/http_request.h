#pragma once

/*
 * The head of an HTTP/1.1 request: parsed by llhttp in strict mode, then checked for what llhttp
 * lets through. A pure function of the head's bytes; everything is a view into them.
 *
 * Whatever could be read in two ways by two parsers is refused: no or two Host headers, folded
 * lines, an empty header name, a transfer coding other than "chunked" alone, Transfer-Encoding
 * with HTTP/1.0, a target that does not begin with '/', NUL and control characters.
 */

#include "lib/base/arena.h"
#include "lib/s3/sigv4.h"

enum { HTTP_HEAD_MAX = 16 * 1024, HTTP_HEADERS_MAX = 100 };

enum http_framing { HTTP_NO_BODY, HTTP_CONTENT_LENGTH, HTTP_CHUNKED };

struct http_request {
    struct bytes method; /* "GET", as received. */
    struct bytes target; /* path?query */
    struct bytes path;   /* As received, percent-encoded; begins with '/'. */
    struct bytes query;  /* After the '?'; empty where there is none. */
    struct bytes host;
    const struct sigv4_pair *headers; /* As received, in order; in the arena. */
    size_t header_count;
    enum http_framing framing;
    uint64_t content_length; /* Of HTTP_CONTENT_LENGTH. */
    bool is_head;            /* HEAD: the response has no body. */
    bool is_http_1_0;
    bool keeps_alive;
    bool expects_continue; /* Expect: 100-continue */
};

/*
 * Find the end of the first head in bytes: its size, with the empty line; 0 while it is
 * incomplete. INVALID as soon as it cannot become one (a line feed without carriage return).
 */
MUST_CHECK struct status http_request_find_end(struct bytes bytes, size_t *ret_size);

/*
 * Parse a whole head. On failure *ret_http_status is what to answer before closing: 400, 417, 431,
 * 501 or 505.
 */
MUST_CHECK struct status http_request_parse(
    struct bytes head, size_t headers_max, struct arena *arena, struct http_request *ret_request,
    unsigned *ret_http_status);

/* The first header of that name (lower-case here, any case in the request); false where absent. */
bool http_request_header(
    const struct http_request *request, const char *name, struct bytes *ret_value);

/* How many headers have that name. */
size_t http_request_header_count(const struct http_request *request, const char *name);
