#pragma once

/*
 * The aws-chunked framing inside an HTTP body. Internal to s3_body.
 *
 *   { hex size [";chunk-signature=" 64 hex] CRLF, size bytes, CRLF }
 *   "0" [";chunk-signature=" 64 hex] CRLF { name ":" value CRLF } CRLF
 *
 * Data goes from the HTTP body straight to the caller's memory; only lines pass a small buffer.
 */

#include "frontend/http_body.h"

enum { S3_CHUNKED_BUFFER = 1024, S3_CHUNKED_LINE_MAX = 512, S3_CHUNKED_TRAILERS_MAX = 8 };

struct s3_chunked;

/* What the framing tells on its way. */
struct s3_chunked_events {
    void *context;
    /* A chunk is complete; signature is NULL where it has none. The last has no data. */
    struct status (*on_chunk)(void *context, const uint8_t *signature);
    /* A line of the trailer. */
    struct status (*on_trailer)(void *context, struct bytes name, struct bytes value);
};

struct s3_chunked {
    struct http_body *body; /* Outlives us. */
    struct s3_chunked_events events;
    bool is_signed;   /* Every chunk has a signature; else none may have. */
    bool may_trail;   /* There may be a trailer. */
    bool is_in_chunk; /* Its line was read, its last CRLF was not. */
    bool is_finished;
    uint64_t chunk_left; /* Of its data. */
    uint8_t signature[32];
    uint8_t buffer[S3_CHUNKED_BUFFER];
    size_t begin;
    size_t end;
};

/* Read at most size bytes of data; *ret_got is 0 only at the end, behind the trailer. INVALID for
 * wrong framing, or what the body or an event failed with. */
MUST_CHECK struct status
s3_chunked_read(struct s3_chunked *chunked, void *to, size_t size, size_t *ret_got);
