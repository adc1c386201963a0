#pragma once

/*
 * The HTTPS server: TLS 1.2 (ECDHE) and 1.3, HTTP/1.1.
 *
 * One epoll thread accepts, does handshakes, and holds every connection that waits for its client:
 * idle ones and those whose request head is not complete. A complete head goes to one of a fixed
 * number of workers, which runs the handler from start to end in straight-line code and then gives
 * the connection back. Everything a client can make grow or wait has a bound in the options.
 */

#include "frontend/http_body.h"
#include "frontend/http_response.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"

enum { HTTP_REQUEST_ID_SIZE = 16, HTTP_PEER_SIZE = 64 };

/* One request and its response, while a handler has it. All members outlive the handler's call. */
struct http_exchange {
    const struct http_request *request;
    struct http_body *body;
    struct http_response *response;
    struct arena *arena;                       /* Freed after the handler returned. */
    char request_id[HTTP_REQUEST_ID_SIZE + 1]; /* Hexadecimal, unique in this process's life. */
    char peer[HTTP_PEER_SIZE];                 /* "127.0.0.1:40000" */
    int64_t started_ms;                        /* Monotonic: the head was complete. */
};

/*
 * Answers one request, in a worker. Returning without a started response sends 500; returning
 * with an unfinished one aborts the connection.
 */
typedef void http_handler_fn(void *context, struct http_exchange *exchange);

/*
 * A request that was refused before a handler saw it: http_status is 400 to 505, and where it
 * may be NULL. response is not started; the function may send a body. Optional.
 */
typedef void http_refuse_fn(
    void *context, struct http_response *response, unsigned http_status, const char *request_id);

struct http_server_options {
    const char *address;          /* "0.0.0.0:9000", "[::]:9000"; port 0 takes a free one. */
    const char *certificate_file; /* PEM chain, leaf first. */
    const char *key_file;         /* PEM. */
    http_handler_fn *handler;
    http_refuse_fn *refuse; /* May be NULL. */
    void *context;
    unsigned workers;         /* Threads, so requests under way at once. */
    unsigned connections_max; /* More are closed at once. */
    size_t head_max;          /* Request line and headers: 431. At most HTTP_HEAD_MAX. */
    size_t headers_max;       /* 431. At most HTTP_HEADERS_MAX. */
    size_t arena_max;         /* Of one exchange. */
    uint64_t body_max;        /* Bytes of one request body. */
    int64_t handshake_timeout_ms;
    int64_t head_timeout_ms;  /* From the first byte of a head to its last. */
    int64_t idle_timeout_ms;  /* Between requests. */
    uint64_t rate_min;        /* Bytes a second that a client must give or take ... */
    int64_t rate_grace_ms;    /* ... and how long it may fall behind that. */
    int64_t drain_timeout_ms; /* How long http_server_stop waits for requests under way. */
};

/* Defaults for everything but the files and the handler. */
struct http_server_options http_server_defaults(void);

struct http_server;

/* Listen and start the threads. The options' strings and context outlive the server. */
MUST_CHECK struct status
http_server_start(const struct http_server_options *options, struct http_server **ret_server);

/* The port in use. */
uint16_t http_server_port(const struct http_server *server);

/* Read certificate and key again; new connections use them. On failure the old ones stay. */
MUST_CHECK struct status http_server_reload(struct http_server *server);

/* Figures for metrics. Any thread. */
struct http_server_counts {
    uint64_t connections;      /* Open now. */
    uint64_t requests_running; /* In workers now. */
    uint64_t requests_waiting; /* Complete heads without a worker. */
    uint64_t accepted;         /* In all. */
    uint64_t refused;          /* Over connections_max, in all. */
    uint64_t requests;         /* In all. */
};
struct http_server_counts http_server_count(struct http_server *server);

/* Stop accepting, let requests under way end (at most drain_timeout_ms, then they are cut), join.
 */
void http_server_stop(struct http_server *server);

/* Stops first where that was not done. */
void http_server_free(struct http_server *server);

DEFINE_OWNED(http_server)
