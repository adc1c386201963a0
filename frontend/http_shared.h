#pragma once

/*
 * What the epoll thread and the workers share: every connection, the queue of those whose head is
 * complete, and the hand-over between the two. Internal to http_*.
 *
 * A connection belongs to whoever its state says; only the state, the links and the figures are
 * under the mutex. Calls marked "locked" want it held.
 */

#include "frontend/http_connection.h"
#include "frontend/http_server.h"

#include <pthread.h>

struct http_shared {
    struct http_server_options options;
    int epoll_fd;          /* Owned. */
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

/* Locked: add to, or take out of, the list of all. */
void http_shared_link(struct http_shared *shared, struct http_connection *connection);
void http_shared_unlink(struct http_shared *shared, struct http_connection *connection);

/* Locked: give to the workers, one of which is to be woken if none is awake; the next of those,
 * or NULL. */
void http_shared_enqueue(struct http_shared *shared, struct http_connection *connection);
struct http_connection *http_shared_dequeue(struct http_shared *shared);

/* Locked: give to the epoll thread, which may act on it from here on. events is POLLIN or POLLOUT.
 */
void http_shared_watch(
    struct http_shared *shared, struct http_connection *connection,
    enum http_connection_state state, short events);

/* What became of an attempt to read a head. */
enum http_head { HTTP_HEAD_WAITS, HTTP_HEAD_READY, HTTP_HEAD_LOST };

/* Read what is there until a head is complete, or can no longer become one (refuse_status). */
enum http_head
http_shared_read_head(const struct http_shared *shared, struct http_connection *connection);

/* Set the deadline of a connection that waits for a head: from the head's first byte its own limit
 * counts, once; before it, that of idling. had_input: there was a byte before. */
void http_shared_set_deadline(
    const struct http_shared *shared, struct http_connection *connection, bool had_input);

/* End what has waited too long; with all, everything that belongs to the epoll thread. */
void http_shared_end_waiting(struct http_shared *shared, bool all);
