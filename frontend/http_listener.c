#include "frontend/http_listener.h"

#include "lib/base/address.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { BACKLOG = 1024 };

static struct status bind_one(const struct addrinfo *info, int *ret_fd)
{
    OWNED(fd) int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        return FAIL_ERRNO(errno, "listen on the address");
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof(six));
        return ntohs(six.sin6_port);
    }
    struct sockaddr_in four;
    memcpy(&four, address, sizeof(four));
    return ntohs(four.sin_port);
}

struct status http_listener_open(const char *address, int *ret_fd, uint16_t *ret_port)
{
    struct addrinfo *found = NULL;
    TRY(address_resolve(address, AI_PASSIVE, &found));
    int fd = -1;
    struct status status = bind_one(found, &fd);
    freeaddrinfo(found);
    TRY(status);
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        status = FAIL_ERRNO(errno, "getsockname");
        close(fd);
        return status;
    }
    *ret_port = port_of(&bound);
    *ret_fd = fd;
    return OK;
}

static void
format_peer(const struct sockaddr_storage *address, socklen_t size, char *peer, size_t peer_size)
{
    char host[INET6_ADDRSTRLEN];
    int error = getnameinfo(
        (const struct sockaddr *)address, size, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    const char *text = error == 0 ? host : "?";
    if (address->ss_family == AF_INET6) {
        snprintf(peer, peer_size, "[%s]:%u", text, port_of(address));
        return;
    }
    snprintf(peer, peer_size, "%s:%u", text, port_of(address));
}

bool http_listener_accept(int listen_fd, int *ret_fd, char *peer, size_t peer_size)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    memset(&address, 0, sizeof(address));
    int fd = accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            clock_sleep_ms(10); /* The connection goes on waiting: do not spin over it. */
        }
        return false;
    }
    int on = 1;
    /* Slower without it, not wrong. */
    IGNORE(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
    format_peer(&address, size, peer, peer_size);
    *ret_fd = fd;
    return true;
}
