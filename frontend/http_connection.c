#include "frontend/http_connection.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>

struct http_connection *http_connection_new(int fd, SSL_CTX *tls, size_t input_capacity)
{
    struct http_connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        close(fd);
        return NULL;
    }
    connection->fd = fd;
    connection->state = HTTP_HANDSHAKE;
    connection->input_capacity = input_capacity;
    connection->ssl = SSL_new(tls);
    if (connection->ssl == NULL || SSL_set_fd(connection->ssl, fd) != 1) {
        http_connection_free(connection);
        return NULL;
    }
    SSL_set_accept_state(connection->ssl);
    return connection;
}

void http_connection_free(struct http_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    SSL_free(connection->ssl);
    close(connection->fd);
    free(connection->input);
    free(connection);
}

struct http_pace http_connection_pace(uint64_t rate_min, int64_t grace_ms)
{
    return (struct http_pace){
        .budget_us = grace_ms * 1000,
        .grace_us = grace_ms * 1000,
        .rate_min = rate_min,
    };
}

/* What an SSL call that did not succeed means: BUSY with the events to wait for, or the end. */
static struct status classify(struct http_connection *connection, int result, short *ret_events)
{
    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *ret_events = POLLIN;
        return FAIL(BUSY, "wait to read");
    case SSL_ERROR_WANT_WRITE:
        *ret_events = POLLOUT;
        return FAIL(BUSY, "wait to write");
    case SSL_ERROR_ZERO_RETURN:
        return FAIL(CANCELLED, "the client ended the connection");
    default:
        ERR_clear_error();
        return FAIL(CANCELLED, "the connection is lost");
    }
}

struct status http_connection_handshake(struct http_connection *connection, short *ret_events)
{
    ERR_clear_error();
    int result = SSL_accept(connection->ssl);
    return result == 1 ? OK : classify(connection, result, ret_events);
}

static struct status try_read(
    struct http_connection *connection, void *to, size_t size, size_t *ret_got, short *ret_events)
{
    ERR_clear_error();
    int result = SSL_read(connection->ssl, to, size > INT_MAX ? INT_MAX : (int)size);
    if (result <= 0) {
        return classify(connection, result, ret_events);
    }
    *ret_got = (size_t)result;
    return OK;
}

/* Make room behind input_end. */
static struct status make_room(struct http_connection *connection)
{
    if (connection->input == NULL) {
        connection->input = malloc(connection->input_capacity);
        if (connection->input == NULL) {
            return FAIL(NO_MEMORY, "input of a connection");
        }
    }
    size_t used = connection->input_end - connection->input_begin;
    if (connection->input_begin > 0) {
        memmove(connection->input, connection->input + connection->input_begin, used);
        connection->input_begin = 0;
        connection->input_end = used;
    }
    return used < connection->input_capacity ? OK : FAIL(TOO_LARGE, "input of a connection");
}

static struct status fill(struct http_connection *connection, size_t *ret_got, short *ret_events)
{
    TRY(make_room(connection));
    size_t room = connection->input_capacity - connection->input_end;
    uint8_t *to = connection->input + connection->input_end;
    TRY(try_read(connection, to, room, ret_got, ret_events));
    connection->input_end += *ret_got;
    CHECK(connection->input_end <= connection->input_capacity);
    return OK;
}

struct status http_connection_fill(struct http_connection *connection)
{
    size_t got;
    short events;
    return fill(connection, &got, &events);
}

struct bytes http_connection_input(const struct http_connection *connection)
{
    if (connection->input == NULL) {
        return bytes_of("", 0);
    }
    return bytes_of(
        connection->input + connection->input_begin,
        connection->input_end - connection->input_begin);
}

void http_connection_use(struct http_connection *connection, size_t size)
{
    connection->input_begin += size;
    CHECK(connection->input_begin <= connection->input_end);
}

void http_connection_trim(struct http_connection *connection)
{
    if (connection->input_begin == connection->input_end) {
        free(connection->input);
        connection->input = NULL;
        connection->input_begin = 0;
        connection->input_end = 0;
    }
}

static void pace_credit(struct http_pace *pace, size_t size)
{
    int64_t earned_us = (int64_t)((uint64_t)size * 1000000 / pace->rate_min);
    pace->budget_us += earned_us;
    if (pace->budget_us > pace->grace_us) {
        pace->budget_us = pace->grace_us;
    }
}

/* Wait for the events, on the client's budget. */
static struct status
wait_for(struct http_connection *connection, short events, struct http_pace *pace)
{
    struct pollfd poll_fd = {.fd = connection->fd, .events = events};
    while (pace->budget_us > 0) {
        int64_t start_us = clock_monotonic_us();
        int timeout_ms = (int)(pace->budget_us / 1000 + 1);
        int ready = poll(&poll_fd, 1, timeout_ms);
        pace->budget_us -= clock_monotonic_us() - start_us;
        if (ready > 0) {
            return OK;
        }
        if (ready < 0 && errno != EINTR) {
            return FAIL_ERRNO(errno, "poll");
        }
    }
    return FAIL(TIMEOUT, "the client is too slow");
}

struct status http_connection_wait_fill(struct http_connection *connection, struct http_pace *pace)
{
    for (;;) {
        size_t got;
        short events;
        struct status status = fill(connection, &got, &events);
        if (status_ok(status)) {
            pace_credit(pace, got);
        }
        if (status.code != STATUS_BUSY) {
            return status;
        }
        TRY(wait_for(connection, events, pace));
    }
}

struct status http_connection_read(
    struct http_connection *connection, void *to, size_t size, struct http_pace *pace,
    size_t *ret_got)
{
    for (;;) {
        short events;
        struct status status = try_read(connection, to, size, ret_got, &events);
        if (status_ok(status)) {
            pace_credit(pace, *ret_got);
        }
        if (status.code != STATUS_BUSY) {
            return status;
        }
        TRY(wait_for(connection, events, pace));
    }
}

struct status http_connection_write(
    struct http_connection *connection, struct bytes bytes, struct http_pace *pace)
{
    while (bytes.size > 0) {
        ERR_clear_error();
        int size = bytes.size > INT_MAX ? INT_MAX : (int)bytes.size;
        int result = SSL_write(connection->ssl, bytes.data, size);
        if (result > 0) {
            pace_credit(pace, (size_t)result);
            bytes = bytes_from(bytes, (size_t)result);
            continue;
        }
        short events;
        struct status status = classify(connection, result, &events);
        if (status.code != STATUS_BUSY) {
            return status;
        }
        TRY(wait_for(connection, events, pace));
    }
    return OK;
}

void http_connection_end(struct http_connection *connection)
{
    ERR_clear_error();
    /* If the goodbye does not fit into the socket now, the client does without. */
    IGNORE(SSL_shutdown(connection->ssl));
    ERR_clear_error();
    IGNORE(shutdown(connection->fd, SHUT_WR));
}

bool http_connection_linger(struct http_connection *connection)
{
    uint8_t dropped[16 * 1024];
    for (unsigned i = 0; i < 64; i++) {
        ssize_t got = recv(connection->fd, dropped, sizeof(dropped), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return true;
        }
        if (got < 0) {
            return false;
        }
    }
    return false;
}
