#pragma once

/*
 * One TLS connection, and how long its client may keep us waiting. Internal to http_*.
 *
 * The socket never blocks. The epoll thread uses http_connection_fill; a worker that runs a
 * request uses the waiting calls. One thread at a time: whoever holds the connection's state.
 */

#include "lib/base/bytes.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

#include <openssl/ssl.h>

/*
 * A client must keep up rate_min bytes a second and may fall behind by grace: the budget. Only
 * time spent waiting for the client counts.
 */
struct http_pace {
    int64_t budget_us;
    int64_t grace_us;
    uint64_t rate_min;
};

/*
 *   HANDSHAKE -> WAITING -> QUEUED -> RUNNING -> WAITING | LINGERING -> closed
 *
 * HANDSHAKE, WAITING and LINGERING belong to the epoll thread, RUNNING to a worker, QUEUED to the
 * queue. LINGERING reads what the client still sends, so that it gets to see the answer.
 */
enum http_connection_state {
    HTTP_HANDSHAKE,
    HTTP_WAITING,
    HTTP_QUEUED,
    HTTP_RUNNING,
    HTTP_LINGERING,
};

struct http_connection {
    int fd;   /* Owned. */
    SSL *ssl; /* Owned. */
    char peer[64];
    enum http_connection_state state; /* Under the server's mutex, as are the links. */
    bool is_watched;                  /* The epoll instance knows the fd. */
    int64_t deadline_ms;              /* Of the states that belong to the epoll thread. */
    unsigned refuse_status;           /* Answer this in the place of parsing; 0: parse. */
    uint8_t *input;                   /* Owned; what was read and not yet used. */
    size_t input_capacity;
    size_t input_begin;
    size_t input_end;
    struct http_connection *next; /* All connections. */
    struct http_connection *previous;
    struct http_connection *next_queued;
};

/* Takes the fd and the SSL's memory; NULL without memory (the fd is then closed). */
struct http_connection *http_connection_new(int fd, SSL_CTX *tls, size_t input_capacity);

/* Close without ceremony. */
void http_connection_free(struct http_connection *connection);

struct http_pace http_connection_pace(uint64_t rate_min, int64_t grace_ms);

/* Do what is possible of the handshake: OK when done; BUSY and the poll events to wait for. */
MUST_CHECK struct status
http_connection_handshake(struct http_connection *connection, short *ret_events);

/* Read what is there into input: OK for something, BUSY for nothing yet, TOO_LARGE when input is
 * full, CANCELLED at the end. */
MUST_CHECK struct status http_connection_fill(struct http_connection *connection);

/* What fill has read and nobody used. */
struct bytes http_connection_input(const struct http_connection *connection);
void http_connection_use(struct http_connection *connection, size_t size);

/* Give input's memory back if nothing is in it: for idle connections. */
void http_connection_trim(struct http_connection *connection);

/* As http_connection_fill, but waits. */
MUST_CHECK struct status
http_connection_wait_fill(struct http_connection *connection, struct http_pace *pace);

/* Read past input, straight to the caller's memory; waits. CANCELLED at the end. */
MUST_CHECK struct status http_connection_read(
    struct http_connection *connection, void *to, size_t size, struct http_pace *pace,
    size_t *ret_got);

/* Write everything; waits. */
MUST_CHECK struct status http_connection_write(
    struct http_connection *connection, struct bytes bytes, struct http_pace *pace);

/* Say goodbye: close_notify, and no more bytes from us. */
void http_connection_end(struct http_connection *connection);

/* Read and drop what the client still sends; true once it has closed its side. */
bool http_connection_linger(struct http_connection *connection);

DEFINE_OWNED(http_connection)
