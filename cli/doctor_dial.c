#include "cli/doctor_dial.h"

#include "lib/base/address.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

enum { STEP_MS = 3000, ANSWER_MAX = 8192 };

struct status doctor_dial_bind(const char *address)
{
    struct addrinfo *list = NULL;
    TRY(address_resolve(address, AI_PASSIVE, &list));
    OWNED(fd) int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, list->ai_protocol);
    int yes = 1;
    struct status status = OK;
    /* As the daemons do: what waits in TIME_WAIT is not in the way. */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, 1) != 0) {
        status = errno == EADDRINUSE ? FAIL(BUSY, "the port is taken")
                                     : FAIL_ERRNO(errno, "the address cannot be bound");
    }
    freeaddrinfo(list);
    return status;
}

static struct status connect_one(const struct addrinfo *address, int *ret_fd)
{
    OWNED(fd)
    int fd = socket(
        address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "socket");
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
        return FAIL_ERRNO(errno, "connect");
    }
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    if (poll(&entry, 1, STEP_MS) <= 0) {
        return FAIL(TIMEOUT, "no connection within 3 s");
    }
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        return FAIL_ERRNO(error != 0 ? error : errno, "connect");
    }
    struct timeval step = {.tv_sec = STEP_MS / 1000};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof(step)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof(step)) != 0) {
        return FAIL_ERRNO(errno, "socket");
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}

struct status doctor_dial_connect(const char *address, int *ret_fd)
{
    struct addrinfo *list = NULL;
    TRY(address_resolve(address, 0, &list));
    struct status status = FAIL(NOT_FOUND, "the host has no address");
    for (const struct addrinfo *at = list; at != NULL && !status_ok(status); at = at->ai_next) {
        status = connect_one(at, ret_fd);
    }
    freeaddrinfo(list);
    return status;
}

static bool split_line(struct bytes *text, struct bytes *ret_line)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    if (end == NULL) {
        return false;
    }
    size_t size = (size_t)(end - text->data);
    *ret_line = bytes_of(text->data, size > 0 && end[-1] == '\r' ? size - 1 : size);
    *text = bytes_from(*text, size + 1);
    return true;
}

/* The value if the line is that header. */
static bool header(struct bytes line, const char *name, char *to, size_t to_size)
{
    size_t size = strlen(name);
    if (line.size < size || strncasecmp((const char *)line.data, name, size) != 0) {
        return false;
    }
    struct bytes value = bytes_from(line, size);
    while (value.size > 0 && value.data[0] == ' ') {
        value = bytes_from(value, 1);
    }
    snprintf(to, to_size, "%.*s", (int)value.size, (const char *)value.data);
    return true;
}

static int64_t parse_date(const char *text)
{
    struct tm tm = {.tm_year = 0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end != NULL && *end == '\0' ? (int64_t)timegm(&tm) : 0;
}

struct status doctor_dial_parse(struct bytes text, struct doctor_dial_answer *ret_answer)
{
    struct doctor_dial_answer answer = {.code = 0};
    struct bytes line;
    char date[64] = "";
    if (!split_line(&text, &line) || line.size < 12 || memcmp(line.data, "HTTP/1.", 7) != 0 ||
        line.data[8] != ' ') {
        return FAIL(INVALID, "the answer is not HTTP");
    }
    for (size_t i = 9; i < 12; i++) {
        if (isdigit(line.data[i]) == 0) {
            return FAIL(INVALID, "the answer is not HTTP");
        }
        answer.code = 10 * answer.code + (line.data[i] - '0');
    }
    while (split_line(&text, &line) && line.size > 0) {
        if (!header(line, "Server:", answer.server, sizeof(answer.server)) &&
            header(line, "Date:", date, sizeof(date))) {
            answer.date_s = parse_date(date);
        }
    }
    if (!split_line(&text, &line)) {
        line = text;
    }
    snprintf(
        answer.line, sizeof(answer.line), "%.*s", (int)line.size,
        line.size > 0 ? (const char *)line.data : "");
    *ret_answer = answer;
    return OK;
}

struct status doctor_dial_health(const char *address, struct doctor_dial_answer *ret_answer)
{
    static const char request[] = "GET /health HTTP/1.0\r\n\r\n";
    OWNED(fd) int fd = -1;
    char text[ANSWER_MAX];
    size_t size = 0;
    TRY(doctor_dial_connect(address, &fd));
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1) {
        return FAIL_ERRNO(errno, "send");
    }
    for (;;) {
        ssize_t n = size < sizeof(text) ? recv(fd, text + size, sizeof(text) - size, 0) : 0;
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN ? FAIL(TIMEOUT, "connected, but no answer within 3 s")
                                   : FAIL_ERRNO(errno, "receive");
        }
        if (n == 0) {
            break;
        }
        size += (size_t)n;
    }
    return doctor_dial_parse(bytes_of(text, size), ret_answer);
}
