#pragma once

/*
 * One request of one connection, from its head to what becomes of the connection. Internal to
 * http_*; runs in a worker.
 */

#include "frontend/http_connection.h"
#include "frontend/http_server.h"

enum http_next {
    HTTP_NEXT_REQUEST, /* Wait for, or look in the input for, another one. */
    HTTP_NEXT_LINGER,  /* The answer was the last: say goodbye. */
    HTTP_NEXT_CLOSE,   /* Cut it. */
};

/*
 * Serve the complete head in the connection's input, or refuse it where refuse_status is set.
 * may_keep: false makes this the connection's last request.
 */
enum http_next http_serve_run(
    const struct http_server_options *options, struct http_connection *connection, bool may_keep);
