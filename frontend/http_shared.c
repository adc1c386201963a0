#include "frontend/http_shared.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <poll.h>
#include <sys/epoll.h>

void http_shared_link(struct http_shared *shared, struct http_connection *connection)
{
    connection->next = shared->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    shared->connections = connection;
    shared->counts.connections++;
}

void http_shared_unlink(struct http_shared *shared, struct http_connection *connection)
{
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        shared->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    shared->counts.connections--;
}

void http_shared_enqueue(struct http_shared *shared, struct http_connection *connection)
{
    connection->state = HTTP_QUEUED;
    connection->next_queued = NULL;
    if (shared->queue_last != NULL) {
        shared->queue_last->next_queued = connection;
    } else {
        shared->queue_first = connection;
    }
    shared->queue_last = connection;
    shared->counts.requests_waiting++;
}

struct http_connection *http_shared_dequeue(struct http_shared *shared)
{
    struct http_connection *connection = shared->queue_first;
    if (connection != NULL) {
        shared->queue_first = connection->next_queued;
        if (shared->queue_first == NULL) {
            shared->queue_last = NULL;
        }
        shared->counts.requests_waiting--;
    }
    return connection;
}

void http_shared_watch(
    struct http_shared *shared, struct http_connection *connection,
    enum http_connection_state state, short events)
{
    connection->state = state;
    struct epoll_event event = {
        .events = EPOLLONESHOT | (events == POLLOUT ? EPOLLOUT : EPOLLIN),
        .data.ptr = connection,
    };
    int operation = connection->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    connection->is_watched = true;
    if (epoll_ctl(shared->epoll_fd, operation, connection->fd, &event) != 0) {
        /* Out of memory, or of fs.epoll.max_user_watches: the time limit will end it. */
        connection->is_watched = false;
    }
}

enum http_head
http_shared_read_head(const struct http_shared *shared, struct http_connection *connection)
{
    for (;;) {
        struct bytes input = http_connection_input(connection);
        size_t size = 0;
        if (!status_ok(http_request_find_end(input, &size))) {
            connection->refuse_status = 400;
            return HTTP_HEAD_READY;
        }
        if (size > shared->options.head_max ||
            (size == 0 && input.size >= shared->options.head_max)) {
            connection->refuse_status = 431;
            return HTTP_HEAD_READY;
        }
        if (size > 0) {
            return HTTP_HEAD_READY;
        }
        struct status status = http_connection_fill(connection);
        if (status.code == STATUS_BUSY) {
            return HTTP_HEAD_WAITS;
        }
        if (!status_ok(status)) {
            return HTTP_HEAD_LOST;
        }
    }
}

void http_shared_set_deadline(
    const struct http_shared *shared, struct http_connection *connection, bool had_input)
{
    bool has_input = http_connection_input(connection).size > 0;
    if (has_input && had_input) {
        return;
    }
    connection->deadline_ms = clock_monotonic_ms() + (has_input ? shared->options.head_timeout_ms
                                                                : shared->options.idle_timeout_ms);
}

static bool belongs_to_epoll(const struct http_connection *connection)
{
    return connection->state == HTTP_HANDSHAKE || connection->state == HTTP_WAITING ||
           connection->state == HTTP_LINGERING;
}

void http_shared_end_waiting(struct http_shared *shared, bool all)
{
    int64_t now_ms = clock_monotonic_ms();
    LOCKED(&shared->mutex);
    for (struct http_connection *next, *at = shared->connections; at != NULL; at = next) {
        next = at->next;
        if (!belongs_to_epoll(at) || (!all && now_ms < at->deadline_ms)) {
            continue;
        }
        bool has_begun = at->state == HTTP_WAITING && http_connection_input(at).size > 0;
        if (has_begun && !all && !shared->is_stopping) {
            /* Its event was not used up, and may not come while a worker has it. */
            CHECK(!at->is_watched || epoll_ctl(shared->epoll_fd, EPOLL_CTL_DEL, at->fd, NULL) == 0);
            at->is_watched = false;
            at->refuse_status = 408;
            http_shared_enqueue(shared, at);
            pthread_cond_signal(&shared->work);
            continue;
        }
        http_shared_unlink(shared, at);
        http_connection_free(at);
    }
}
