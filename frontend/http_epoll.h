#pragma once

/* The thread that holds every connection nobody works on. Internal to http_*. */

#include "frontend/http_shared.h"
#include "lib/base/task.h"

struct http_epoll {
    struct http_shared *shared; /* Outlives us. */
    int listen_fd;              /* Owned. */
    int wake_fd;                /* Owned. */
    struct task task;
};

/* Start the thread over listen_fd, which it then owns. */
MUST_CHECK struct status
http_epoll_start(struct http_epoll *epoll, struct http_shared *shared, int listen_fd);

/* Once is_stopping is set: end the thread, close what waited, and listen no more. Also after a
 * start that failed or never was. */
void http_epoll_stop(struct http_epoll *epoll);
