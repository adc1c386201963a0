#include "frontend/http_server.h"

#include "frontend/http_epoll.h"
#include "frontend/http_listener.h"
#include "frontend/http_serve.h"
#include "frontend/http_tls.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    LINGER_MS = 2000, /* How long a client may take to hang up after its last answer. */
    WORKERS_MAX = 1024,
};

struct http_server {
    struct http_shared shared;
    struct http_epoll epoll;
    struct task *worker_tasks; /* Owned. */
    uint16_t port;
    bool is_stopped; /* http_server_stop was here. */
};

struct http_server_options http_server_defaults(void)
{
    return (struct http_server_options){
        .address = "127.0.0.1:0",
        .workers = 128,
        .connections_max = 4096,
        .head_max = HTTP_HEAD_MAX,
        .headers_max = HTTP_HEADERS_MAX,
        .arena_max = 4 * 1024 * 1024,
        .body_max = (uint64_t)5 * 1024 * 1024 * 1024 + 1024 * 1024 * 1024,
        .handshake_timeout_ms = 10 * 1000,
        .head_timeout_ms = 10 * 1000,
        .idle_timeout_ms = 60 * 1000,
        .rate_min = 64 * 1024,
        .rate_grace_ms = 20 * 1000,
        .drain_timeout_ms = 30 * 1000,
    };
}

/* ---- The workers ---- */

/* What becomes of a connection after a request; the mutex is not held. */
static void
put_back(struct http_shared *shared, struct http_connection *connection, enum http_next next)
{
    enum http_head head = HTTP_HEAD_LOST;
    if (next == HTTP_NEXT_REQUEST) {
        /* This also empties what TLS holds decrypted, of which epoll knows nothing. */
        head = http_shared_read_head(shared, connection);
    } else if (next == HTTP_NEXT_LINGER) {
        http_connection_end(connection);
    }
    {
        LOCKED(&shared->mutex);
        bool goes_on = !shared->is_stopping || head == HTTP_HEAD_READY;
        shared->counts.requests_running--;
        if (next == HTTP_NEXT_REQUEST && head != HTTP_HEAD_LOST && goes_on && !shared->is_cut) {
            http_shared_set_deadline(shared, connection, false);
            http_connection_trim(connection);
            if (head == HTTP_HEAD_READY) {
                http_shared_enqueue(shared, connection); /* We are the worker that is awake. */
                return;
            }
            http_shared_watch(shared, connection, HTTP_WAITING, POLLIN);
            return;
        }
        if (next == HTTP_NEXT_LINGER && !shared->is_stopping) {
            connection->deadline_ms = clock_monotonic_ms() + LINGER_MS;
            http_shared_watch(shared, connection, HTTP_LINGERING, POLLIN);
            return;
        }
        http_shared_unlink(shared, connection);
    }
    http_connection_free(connection);
}

/* The next connection to serve; NULL when it is time to end. */
static struct http_connection *take_work(struct http_shared *shared, bool *ret_may_keep)
{
    LOCKED(&shared->mutex);
    while (shared->queue_first == NULL) {
        if (shared->is_stopping) {
            return NULL;
        }
        pthread_cond_wait(&shared->work, &shared->mutex);
    }
    struct http_connection *connection = http_shared_dequeue(shared);
    connection->state = HTTP_RUNNING;
    shared->counts.requests_running++;
    shared->counts.requests++;
    *ret_may_keep = !shared->is_stopping;
    return connection;
}

static void run_worker(void *context)
{
    struct http_shared *shared = context;
    bool may_keep;
    struct http_connection *connection;
    while ((connection = take_work(shared, &may_keep)) != NULL) {
        put_back(shared, connection, http_serve_run(&shared->options, connection, may_keep));
    }
}

/* ---- Start and stop ---- */

static struct status check_options(const struct http_server_options *options)
{
    if (options->handler == NULL || options->certificate_file == NULL ||
        options->key_file == NULL || options->address == NULL) {
        return FAIL(INVALID, "server options lack address, certificate, key or handler");
    }
    if (options->workers == 0 || options->workers > WORKERS_MAX || options->connections_max == 0 ||
        options->head_max < 256 || options->head_max > HTTP_HEAD_MAX || options->headers_max == 0 ||
        options->headers_max > HTTP_HEADERS_MAX || options->arena_max < (size_t)64 * 1024 ||
        options->rate_min == 0 || options->rate_grace_ms <= 0) {
        return FAIL(INVALID, "a server option is out of its bounds");
    }
    return OK;
}

static struct status start_workers(struct http_server *server)
{
    server->worker_tasks = calloc(server->shared.options.workers, sizeof(*server->worker_tasks));
    if (server->worker_tasks == NULL) {
        return FAIL(NO_MEMORY, "workers");
    }
    for (unsigned i = 0; i < server->shared.options.workers; i++) {
        TRY(task_start(&server->worker_tasks[i], "http-worker", run_worker, &server->shared));
    }
    return OK;
}

struct status
http_server_start(const struct http_server_options *options, struct http_server **ret_server)
{
    TRY(check_options(options));
    OWNED(http_server) struct http_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return FAIL(NO_MEMORY, "server");
    }
    server->shared.options = *options;
    pthread_mutex_init(&server->shared.mutex, NULL);
    pthread_cond_init(&server->shared.work, NULL);
    server->shared.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->shared.epoll_fd < 0) {
        return FAIL_ERRNO(errno, "epoll_create1");
    }
    TRY(http_tls_new(options->certificate_file, options->key_file, &server->shared.tls));
    TRY(start_workers(server));
    OWNED(fd) int listen_fd = -1;
    TRY(http_listener_open(options->address, &listen_fd, &server->port));
    int moved_fd = listen_fd;
    listen_fd = -1;
    TRY(http_epoll_start(&server->epoll, &server->shared, moved_fd));
    *ret_server = TAKE(server);
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

struct status http_server_reload(struct http_server *server)
{
    SSL_CTX *tls;
    TRY(http_tls_new(
        server->shared.options.certificate_file, server->shared.options.key_file, &tls));
    LOCKED(&server->shared.mutex);
    SSL_CTX_free(server->shared.tls);
    server->shared.tls = tls;
    return OK;
}

struct http_server_counts http_server_count(struct http_server *server)
{
    LOCKED(&server->shared.mutex);
    return server->shared.counts;
}

/* Wait for the requests under way, then cut those that are left: their reads and writes fail. */
static void drain(struct http_server *server)
{
    int64_t deadline_ms = clock_monotonic_ms() + server->shared.options.drain_timeout_ms;
    for (;;) {
        struct http_server_counts counts = http_server_count(server);
        if (counts.requests_running + counts.requests_waiting == 0) {
            return;
        }
        if (clock_monotonic_ms() >= deadline_ms) {
            break;
        }
        clock_sleep_ms(10);
    }
    LOCKED(&server->shared.mutex);
    server->shared.is_cut = true;
    for (struct http_connection *at = server->shared.connections; at != NULL; at = at->next) {
        shutdown(at->fd, SHUT_RDWR);
    }
}

void http_server_stop(struct http_server *server)
{
    if (server->is_stopped) {
        return;
    }
    server->is_stopped = true;
    {
        LOCKED(&server->shared.mutex);
        server->shared.is_stopping = true;
        pthread_cond_broadcast(&server->shared.work);
    }
    http_epoll_stop(&server->epoll);
    drain(server);
    for (unsigned i = 0; server->worker_tasks != NULL && i < server->shared.options.workers; i++) {
        task_join(&server->worker_tasks[i]);
    }
    /* What a worker gave back to epoll after its thread ended. */
    http_shared_end_waiting(&server->shared, true);
    CHECK(server->shared.connections == NULL);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    http_server_stop(server);
    fd_release(&server->shared.epoll_fd);
    SSL_CTX_free(server->shared.tls);
    pthread_mutex_destroy(&server->shared.mutex);
    pthread_cond_destroy(&server->shared.work);
    free(server->worker_tasks);
    free(server);
}
