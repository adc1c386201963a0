#pragma once

/* The listening socket. Internal to http_*. */

#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Listen on "host:port" or "[host]:port"; port 0 takes a free one. */
MUST_CHECK struct status http_listener_open(const char *address, int *ret_fd, uint16_t *ret_port);

/* A new connection, not blocking, and who it is from, "host:port" as far as it fits; false when
 * none is waiting. */
bool http_listener_accept(int listen_fd, int *ret_fd, char *peer, size_t peer_size);
