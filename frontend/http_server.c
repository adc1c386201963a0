#include "frontend/http_server.h"

#include "frontend/http_connection.h"
#include "frontend/http_listener.h"
#include "frontend/http_serve.h"
#include "frontend/http_tls.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum {
    EVENTS = 64,
    TICK_MS = 250,    /* How late a time limit may be noticed. */
    LINGER_MS = 2000, /* How long a client may take to hang up after its last answer. */
    WORKERS_MAX = 1024,
};

struct http_server {
    struct http_server_options options;
    int listen_fd; /* Owned. */
    int epoll_fd;  /* Owned. */
    int wake_fd;   /* Owned. */
    uint16_t port;
    struct task epoll_task;
    struct task *worker_tasks; /* Owned. */
    bool is_stopped;           /* http_server_stop was here. */

    pthread_mutex_t mutex; /* Of everything below. */
    pthread_cond_t work;   /* A connection was queued, or it is time to stop. */
    SSL_CTX *tls;          /* Owned. */
    bool is_stopping;
    bool is_cut; /* Requests under way were cut off. */
    struct http_connection *connections;
    struct http_connection *queue_first;
    struct http_connection *queue_last;
    struct http_server_counts counts;
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

/* ---- What epoll thread and workers share; the mutex is held. ---- */

static void link_connection(struct http_server *server, struct http_connection *connection)
{
    connection->next = server->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    server->connections = connection;
    server->counts.connections++;
}

static void unlink_connection(struct http_server *server, struct http_connection *connection)
{
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        server->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    server->counts.connections--;
}

static void enqueue(struct http_server *server, struct http_connection *connection)
{
    connection->state = HTTP_QUEUED;
    connection->next_queued = NULL;
    if (server->queue_last != NULL) {
        server->queue_last->next_queued = connection;
    } else {
        server->queue_first = connection;
    }
    server->queue_last = connection;
    server->counts.requests_waiting++;
    pthread_cond_signal(&server->work);
}

static struct http_connection *dequeue(struct http_server *server)
{
    struct http_connection *connection = server->queue_first;
    if (connection != NULL) {
        server->queue_first = connection->next_queued;
        if (server->queue_first == NULL) {
            server->queue_last = NULL;
        }
        server->counts.requests_waiting--;
    }
    return connection;
}

/* Hand a connection to the epoll thread: it may act on it from here on. */
static void watch(
    struct http_server *server, struct http_connection *connection,
    enum http_connection_state state, short events)
{
    connection->state = state;
    struct epoll_event event = {
        .events = EPOLLONESHOT | (events == POLLOUT ? EPOLLOUT : EPOLLIN),
        .data.ptr = connection,
    };
    CHECK(epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) == 0);
}

/* ---- Reading heads: the epoll thread, and a worker between two requests. ---- */

enum head { HEAD_WAITS, HEAD_READY, HEAD_LOST };

/* Read what is there until a head is complete, or can no longer become one. */
static enum head read_head(struct http_server *server, struct http_connection *connection)
{
    for (;;) {
        struct bytes input = http_connection_input(connection);
        size_t size = 0;
        if (!status_ok(http_request_find_end(input, &size))) {
            connection->refuse_status = 400;
            return HEAD_READY;
        }
        if (size > server->options.head_max ||
            (size == 0 && input.size >= server->options.head_max)) {
            connection->refuse_status = 431;
            return HEAD_READY;
        }
        if (size > 0) {
            return HEAD_READY;
        }
        struct status status = http_connection_fill(connection);
        if (status.code == STATUS_BUSY) {
            return HEAD_WAITS;
        }
        if (!status_ok(status)) {
            return HEAD_LOST;
        }
    }
}

/* From the first byte of a head its own limit counts, once; before it, that of idling. */
static void
set_deadline(const struct http_server *server, struct http_connection *connection, bool had_input)
{
    bool has_input = http_connection_input(connection).size > 0;
    if (has_input && had_input) {
        return;
    }
    connection->deadline_ms = clock_monotonic_ms() + (has_input ? server->options.head_timeout_ms
                                                                : server->options.idle_timeout_ms);
}

/* ---- The epoll thread. ---- */

static void drop(struct http_server *server, struct http_connection *connection)
{
    {
        LOCKED(&server->mutex);
        unlink_connection(server, connection);
    }
    http_connection_free(connection);
}

static void accept_one(struct http_server *server, int fd, const char *peer)
{
    SSL_CTX *tls;
    {
        LOCKED(&server->mutex);
        server->counts.accepted++;
        if (server->counts.connections >= server->options.connections_max) {
            server->counts.refused++;
            close(fd);
            return;
        }
        tls = server->tls;
        SSL_CTX_up_ref(tls);
    }
    struct http_connection *connection =
        http_connection_new(fd, tls, server->options.head_max + 1024);
    SSL_CTX_free(tls);
    if (connection == NULL) {
        return;
    }
    memcpy(connection->peer, peer, sizeof(connection->peer));
    connection->deadline_ms = clock_monotonic_ms() + server->options.handshake_timeout_ms;
    struct epoll_event event = {.events = EPOLLONESHOT | EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        http_connection_free(connection);
        return;
    }
    LOCKED(&server->mutex);
    link_connection(server, connection);
}

static void accept_all(struct http_server *server)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        char peer[sizeof(((struct http_connection *)NULL)->peer)];
        int fd;
        if (!http_listener_accept(server->listen_fd, &fd, peer, sizeof(peer))) {
            return;
        }
        accept_one(server, fd, peer);
    }
}

static void on_waiting(struct http_server *server, struct http_connection *connection)
{
    bool had_input = http_connection_input(connection).size > 0;
    enum head head = read_head(server, connection);
    if (head == HEAD_LOST) {
        drop(server, connection);
        return;
    }
    LOCKED(&server->mutex);
    /* While stopping nothing new is queued: the workers may be gone. End of the thread frees it. */
    if (head == HEAD_READY && !server->is_stopping) {
        enqueue(server, connection);
        return;
    }
    set_deadline(server, connection, had_input);
    http_connection_trim(connection);
    watch(server, connection, HTTP_WAITING, POLLIN);
}

static void on_handshake(struct http_server *server, struct http_connection *connection)
{
    short events;
    struct status status = http_connection_handshake(connection, &events);
    if (status.code == STATUS_BUSY) {
        LOCKED(&server->mutex);
        watch(server, connection, HTTP_HANDSHAKE, events);
        return;
    }
    if (!status_ok(status)) {
        drop(server, connection);
        return;
    }
    connection->state = HTTP_WAITING;
    set_deadline(server, connection, false);
    on_waiting(server, connection);
}

static void on_lingering(struct http_server *server, struct http_connection *connection)
{
    if (http_connection_linger(connection)) {
        drop(server, connection);
        return;
    }
    LOCKED(&server->mutex);
    watch(server, connection, HTTP_LINGERING, POLLIN);
}

static void on_event(struct http_server *server, struct http_connection *connection)
{
    switch (connection->state) {
    case HTTP_HANDSHAKE:
        on_handshake(server, connection);
        return;
    case HTTP_WAITING:
        on_waiting(server, connection);
        return;
    case HTTP_LINGERING:
        on_lingering(server, connection);
        return;
    case HTTP_QUEUED:
    case HTTP_RUNNING:
    default:
        CHECK(false);
    }
}

static bool belongs_to_epoll(const struct http_connection *connection)
{
    return connection->state == HTTP_HANDSHAKE || connection->state == HTTP_WAITING ||
           connection->state == HTTP_LINGERING;
}

/* End what has waited too long; with all, everything that nobody works on. */
static void end_waiting(struct http_server *server, bool all)
{
    int64_t now_ms = clock_monotonic_ms();
    LOCKED(&server->mutex);
    for (struct http_connection *next, *at = server->connections; at != NULL; at = next) {
        next = at->next;
        if (!belongs_to_epoll(at) || (!all && now_ms < at->deadline_ms)) {
            continue;
        }
        bool has_begun = at->state == HTTP_WAITING && http_connection_input(at).size > 0;
        if (has_begun && !all && !server->is_stopping) {
            at->refuse_status = 408;
            enqueue(server, at);
            continue;
        }
        unlink_connection(server, at);
        http_connection_free(at);
    }
}

static bool is_stopping(struct http_server *server)
{
    LOCKED(&server->mutex);
    return server->is_stopping;
}

static void run_epoll(void *context)
{
    struct http_server *server = context;
    struct epoll_event events[EVENTS];
    int64_t last_ms = clock_monotonic_ms();
    while (!is_stopping(server)) {
        int count = epoll_wait(server->epoll_fd, events, EVENTS, TICK_MS);
        CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &server->listen_fd) {
                accept_all(server);
            } else if (events[i].data.ptr != &server->wake_fd) {
                on_event(server, events[i].data.ptr);
            }
        }
        if (clock_monotonic_ms() - last_ms >= TICK_MS) {
            end_waiting(server, false);
            last_ms = clock_monotonic_ms();
        }
    }
    end_waiting(server, true);
}

/* ---- The workers. ---- */

/* What becomes of a connection after a request; the mutex is not held. */
static void
put_back(struct http_server *server, struct http_connection *connection, enum http_next next)
{
    enum head head = HEAD_LOST;
    if (next == HTTP_NEXT_REQUEST) {
        /* This also empties what TLS holds decrypted, of which epoll knows nothing. */
        head = read_head(server, connection);
    } else if (next == HTTP_NEXT_LINGER) {
        http_connection_end(connection);
    }
    {
        LOCKED(&server->mutex);
        bool goes_on = !server->is_stopping || head == HEAD_READY;
        server->counts.requests_running--;
        if (next == HTTP_NEXT_REQUEST && head != HEAD_LOST && goes_on && !server->is_cut) {
            set_deadline(server, connection, false);
            http_connection_trim(connection);
            if (head == HEAD_READY) {
                enqueue(server, connection);
                return;
            }
            watch(server, connection, HTTP_WAITING, POLLIN);
            return;
        }
        if (next == HTTP_NEXT_LINGER && !server->is_stopping) {
            connection->deadline_ms = clock_monotonic_ms() + LINGER_MS;
            watch(server, connection, HTTP_LINGERING, POLLIN);
            return;
        }
        unlink_connection(server, connection);
    }
    http_connection_free(connection);
}

/* The next connection to serve; NULL when it is time to end. */
static struct http_connection *take_work(struct http_server *server, bool *ret_may_keep)
{
    LOCKED(&server->mutex);
    while (server->queue_first == NULL) {
        if (server->is_stopping) {
            return NULL;
        }
        pthread_cond_wait(&server->work, &server->mutex);
    }
    struct http_connection *connection = dequeue(server);
    connection->state = HTTP_RUNNING;
    server->counts.requests_running++;
    server->counts.requests++;
    *ret_may_keep = !server->is_stopping;
    return connection;
}

static void run_worker(void *context)
{
    struct http_server *server = context;
    bool may_keep;
    struct http_connection *connection;
    while ((connection = take_work(server, &may_keep)) != NULL) {
        put_back(server, connection, http_serve_run(&server->options, connection, may_keep));
    }
}

/* ---- Start and stop. ---- */

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

static struct status add_to_epoll(struct http_server *server, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, *fd, &event) != 0) {
        return FAIL_ERRNO(errno, "epoll_ctl");
    }
    return OK;
}

static struct status open_fds(struct http_server *server)
{
    TRY(http_listener_open(server->options.address, &server->listen_fd, &server->port));
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->epoll_fd < 0 || server->wake_fd < 0) {
        return FAIL_ERRNO(errno, "epoll or eventfd");
    }
    TRY(add_to_epoll(server, &server->listen_fd));
    return add_to_epoll(server, &server->wake_fd);
}

static struct status start_threads(struct http_server *server)
{
    server->worker_tasks = calloc(server->options.workers, sizeof(*server->worker_tasks));
    if (server->worker_tasks == NULL) {
        return FAIL(NO_MEMORY, "workers");
    }
    for (unsigned i = 0; i < server->options.workers; i++) {
        TRY(task_start(&server->worker_tasks[i], "http-worker", run_worker, server));
    }
    return task_start(&server->epoll_task, "http-epoll", run_epoll, server);
}

struct status
http_server_start(const struct http_server_options *options, struct http_server **ret_server)
{
    TRY(check_options(options));
    OWNED(http_server) struct http_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return FAIL(NO_MEMORY, "server");
    }
    server->options = *options;
    server->listen_fd = -1;
    server->epoll_fd = -1;
    server->wake_fd = -1;
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->work, NULL);
    TRY(http_tls_new(options->certificate_file, options->key_file, &server->tls));
    TRY(open_fds(server));
    TRY(start_threads(server));
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
    TRY(http_tls_new(server->options.certificate_file, server->options.key_file, &tls));
    LOCKED(&server->mutex);
    SSL_CTX_free(server->tls);
    server->tls = tls;
    return OK;
}

struct http_server_counts http_server_count(struct http_server *server)
{
    LOCKED(&server->mutex);
    return server->counts;
}

/* Wait for the requests under way, then cut those that are left: their reads and writes fail. */
static void drain(struct http_server *server)
{
    int64_t deadline_ms = clock_monotonic_ms() + server->options.drain_timeout_ms;
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
    LOCKED(&server->mutex);
    server->is_cut = true;
    for (struct http_connection *at = server->connections; at != NULL; at = at->next) {
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
        LOCKED(&server->mutex);
        server->is_stopping = true;
        pthread_cond_broadcast(&server->work);
    }
    if (server->wake_fd >= 0) {
        IGNORE(eventfd_write(server->wake_fd, 1)); /* The tick would do as well. */
    }
    task_join(&server->epoll_task);
    if (server->listen_fd >= 0) {
        close(server->listen_fd);
        server->listen_fd = -1;
    }
    drain(server);
    for (unsigned i = 0; server->worker_tasks != NULL && i < server->options.workers; i++) {
        task_join(&server->worker_tasks[i]);
    }
    /* What a worker gave back to epoll after its thread ended. */
    end_waiting(server, true);
    CHECK(server->connections == NULL);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    http_server_stop(server);
    fd_release(&server->epoll_fd);
    fd_release(&server->wake_fd);
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->mutex);
    pthread_cond_destroy(&server->work);
    free(server->worker_tasks);
    free(server);
}
