#include "frontend/http_epoll.h"

#include "frontend/http_listener.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum {
    EVENTS = 64,
    TICK_MS = 250, /* How late a time limit may be noticed. */
};

static void drop(struct http_shared *shared, struct http_connection *connection)
{
    {
        LOCKED(&shared->mutex);
        http_shared_unlink(shared, connection);
    }
    http_connection_free(connection);
}

static void accept_one(struct http_shared *shared, int fd, const char *peer)
{
    SSL_CTX *tls;
    {
        LOCKED(&shared->mutex);
        shared->counts.accepted++;
        if (shared->counts.connections >= shared->options.connections_max) {
            shared->counts.refused++;
            close(fd);
            return;
        }
        tls = shared->tls;
        SSL_CTX_up_ref(tls);
    }
    struct http_connection *connection =
        http_connection_new(fd, tls, shared->options.head_max + 1024);
    SSL_CTX_free(tls);
    if (connection == NULL) {
        return;
    }
    memcpy(connection->peer, peer, sizeof(connection->peer));
    connection->deadline_ms = clock_monotonic_ms() + shared->options.handshake_timeout_ms;
    LOCKED(&shared->mutex);
    http_shared_link(shared, connection);
    http_shared_watch(shared, connection, HTTP_HANDSHAKE, POLLIN);
}

static void accept_all(struct http_shared *shared, int listen_fd)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        char peer[sizeof(((struct http_connection *)NULL)->peer)];
        int fd;
        if (!http_listener_accept(listen_fd, &fd, peer, sizeof(peer))) {
            return;
        }
        accept_one(shared, fd, peer);
    }
}

static void on_waiting(struct http_shared *shared, struct http_connection *connection)
{
    bool had_input = http_connection_input(connection).size > 0;
    enum http_head head = http_shared_read_head(shared, connection);
    if (head == HTTP_HEAD_LOST) {
        drop(shared, connection);
        return;
    }
    pthread_mutex_lock(&shared->mutex);
    /* While stopping nothing new is queued: the workers may be gone. End of the thread frees it. */
    bool is_work = head == HTTP_HEAD_READY && !shared->is_stopping;
    if (is_work) {
        http_shared_enqueue(shared, connection);
    } else {
        http_shared_set_deadline(shared, connection, had_input);
        http_connection_trim(connection);
        http_shared_watch(shared, connection, HTTP_WAITING, POLLIN);
    }
    pthread_mutex_unlock(&shared->mutex);
    if (is_work) {
        /* Not under the mutex, or the worker wakes only to sleep on it. */
        pthread_cond_signal(&shared->work);
    }
}

static void on_handshake(struct http_shared *shared, struct http_connection *connection)
{
    short events;
    struct status status = http_connection_handshake(connection, &events);
    if (status.code == STATUS_BUSY) {
        LOCKED(&shared->mutex);
        http_shared_watch(shared, connection, HTTP_HANDSHAKE, events);
        return;
    }
    if (!status_ok(status)) {
        drop(shared, connection);
        return;
    }
    http_shared_set_deadline(shared, connection, false);
    on_waiting(shared, connection);
}

static void on_lingering(struct http_shared *shared, struct http_connection *connection)
{
    if (http_connection_linger(connection)) {
        drop(shared, connection);
        return;
    }
    LOCKED(&shared->mutex);
    http_shared_watch(shared, connection, HTTP_LINGERING, POLLIN);
}

/* Under the mutex, so that all that the worker did to it is seen. */
static enum http_connection_state
state_of(struct http_shared *shared, const struct http_connection *connection)
{
    LOCKED(&shared->mutex);
    return connection->state;
}

static void on_event(struct http_shared *shared, struct http_connection *connection)
{
    switch (state_of(shared, connection)) {
    case HTTP_HANDSHAKE:
        on_handshake(shared, connection);
        return;
    case HTTP_WAITING:
        on_waiting(shared, connection);
        return;
    case HTTP_LINGERING:
        on_lingering(shared, connection);
        return;
    case HTTP_QUEUED:
    case HTTP_RUNNING:
    default:
        CHECK(false);
    }
}

static bool is_stopping(struct http_shared *shared)
{
    LOCKED(&shared->mutex);
    return shared->is_stopping;
}

static void run_epoll(void *context)
{
    struct http_epoll *epoll = context;
    struct epoll_event events[EVENTS];
    int64_t last_ms = clock_monotonic_ms();
    while (!is_stopping(epoll->shared)) {
        int count = epoll_wait(epoll->shared->epoll_fd, events, EVENTS, TICK_MS);
        CHECK(count >= 0 || errno == EINTR);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &epoll->listen_fd) {
                accept_all(epoll->shared, epoll->listen_fd);
            } else if (events[i].data.ptr != &epoll->wake_fd) {
                on_event(epoll->shared, events[i].data.ptr);
            }
        }
        if (clock_monotonic_ms() - last_ms >= TICK_MS) {
            http_shared_end_waiting(epoll->shared, false);
            last_ms = clock_monotonic_ms();
        }
    }
    http_shared_end_waiting(epoll->shared, true);
}

static struct status add(struct http_epoll *epoll, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    if (epoll_ctl(epoll->shared->epoll_fd, EPOLL_CTL_ADD, *fd, &event) != 0) {
        return FAIL_ERRNO(errno, "epoll_ctl");
    }
    return OK;
}

struct status http_epoll_start(struct http_epoll *epoll, struct http_shared *shared, int listen_fd)
{
    *epoll = (struct http_epoll){.shared = shared, .listen_fd = listen_fd};
    epoll->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll->wake_fd < 0) {
        return FAIL_ERRNO(errno, "eventfd");
    }
    TRY(add(epoll, &epoll->listen_fd));
    TRY(add(epoll, &epoll->wake_fd));
    return task_start(&epoll->task, "http-epoll", run_epoll, epoll);
}

void http_epoll_stop(struct http_epoll *epoll)
{
    if (epoll->shared == NULL) {
        return;
    }
    IGNORE(eventfd_write(epoll->wake_fd, 1)); /* The tick would do as well. */
    task_join(&epoll->task);
    fd_release(&epoll->listen_fd);
    fd_release(&epoll->wake_fd);
    epoll->shared = NULL;
}
