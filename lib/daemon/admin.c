#include "lib/daemon/admin.h"

#include "lib/base/address.h"
#include "lib/base/buffer.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/telemetry/log.h"
#include "lib/telemetry/metric.h"
#include "lib/version/version.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

enum { REQUEST_MAX = 4096, REQUEST_MS = 2000, METRICS_MAX = 1 << 20 };

struct admin {
    int listen_fd;
    int stop_fd; /* An eventfd, readable when the thread shall end. */
    int port;
    const char *name; /* A literal. */
    const char *(*health)(void *context);
    void *context; /* Outlives us. */
    struct task task;
};

static struct status listen_on(const struct addrinfo *address, int *ret_fd)
{
    OWNED(fd)
    int fd = socket(
        address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "admin socket");
    }
    int yes = 1;
    IGNORE(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes))); /* Only a convenience. */
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, 16) != 0) {
        return FAIL_ERRNO(errno, "bind the admin address");
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}

static int port_of(int fd)
{
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(name);
    char port[16] = "0";
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0 ||
        getnameinfo((struct sockaddr *)&name, size, NULL, 0, port, sizeof(port), NI_NUMERICSERV) !=
            0) {
        return 0;
    }
    return (int)strtol(port, NULL, 10);
}

/* False when the time is over. */
static bool wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        if (left_ms <= 0) {
            return false;
        }
        struct pollfd entry = {.fd = fd, .events = events};
        int count = poll(&entry, 1, (int)left_ms);
        if (count > 0) {
            return true;
        }
        if (count == 0 || errno != EINTR) {
            return false;
        }
    }
}

/* Read up to the empty line that ends the head; what follows is not for us. */
static bool read_head(int fd, char head[REQUEST_MAX + 1], int64_t deadline_ms)
{
    size_t size = 0;
    while (size < REQUEST_MAX && wait_for(fd, POLLIN, deadline_ms)) {
        ssize_t n = recv(fd, head + size, REQUEST_MAX - size, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        size += n > 0 ? (size_t)n : 0;
        head[size] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL || strstr(head, "\n\n") != NULL) {
            return true;
        }
    }
    return false;
}

static void write_all(int fd, struct bytes bytes, int64_t deadline_ms)
{
    while (bytes.size > 0 && wait_for(fd, POLLOUT, deadline_ms)) {
        ssize_t n = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return;
        }
        bytes = bytes_from(bytes, n > 0 ? (size_t)n : 0);
    }
}

/* RFC 9110, 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale. */
static void print_date(char ret[64])
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = clock_wall_s();
    struct tm tm;
    CHECK(gmtime_r(&now, &tm) != NULL);
    snprintf(
        ret, 64, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
        months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void
respond(const struct admin *admin, int fd, const char *line, struct bytes body, int64_t deadline_ms)
{
    char date[64];
    char head[320];
    print_date(date);
    int size = snprintf(
        head, sizeof(head),
        "HTTP/1.0 %s\r\nServer: triad-%s/" TRIAD_VERSION
        "\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: %zu\r\nConnection: close\r\n\r\n",
        line, admin->name, date, body.size);
    CHECK(size > 0 && (size_t)size < sizeof(head));
    write_all(fd, bytes_of(head, (size_t)size), deadline_ms);
    write_all(fd, body, deadline_ms);
}

static void respond_health(struct admin *admin, int fd, int64_t deadline_ms)
{
    const char *waiting = admin->health(admin->context);
    char text[256];
    snprintf(text, sizeof(text), "%s\n", waiting == NULL ? "ready" : waiting);
    respond(
        admin, fd, waiting == NULL ? "200 OK" : "503 Service Unavailable", bytes_text(text),
        deadline_ms);
}

static void respond_metrics(const struct admin *admin, int fd, int64_t deadline_ms)
{
    BUFFER(text, METRICS_MAX);
    metric_expose(&text);
    if (!status_ok(buffer_status(&text))) {
        respond(
            admin, fd, "500 Internal Server Error", bytes_text("too many metrics\n"), deadline_ms);
        return;
    }
    respond(admin, fd, "200 OK", buffer_bytes(&text), deadline_ms);
}

/* True if head asks for path, with or without a query. */
static bool asks_for(const char *head, const char *path)
{
    size_t size = strlen(path);
    return strncmp(head, "GET ", 4) == 0 && strncmp(head + 4, path, size) == 0 &&
           strchr(" ?\r\n", head[4 + size]) != NULL;
}

static void serve(struct admin *admin, int fd)
{
    char head[REQUEST_MAX + 1] = "";
    int64_t deadline_ms = clock_monotonic_ms() + REQUEST_MS;
    if (!read_head(fd, head, deadline_ms)) {
        respond(admin, fd, "400 Bad Request", bytes_text("bad request\n"), deadline_ms);
        return;
    }
    if (asks_for(head, "/health")) {
        respond_health(admin, fd, deadline_ms);
        return;
    }
    if (asks_for(head, "/metrics")) {
        respond_metrics(admin, fd, deadline_ms);
        return;
    }
    respond(admin, fd, "404 Not Found", bytes_text("GET /health or /metrics\n"), deadline_ms);
}

static void run(void *context)
{
    struct admin *admin = context;
    for (;;) {
        struct pollfd entries[2] = {
            {.fd = admin->stop_fd, .events = POLLIN},
            {.fd = admin->listen_fd, .events = POLLIN},
        };
        if (poll(entries, 2, -1) < 0 && errno != EINTR) {
            log_event(LOG_ERROR, "admin port ends", LOG_STATUS(FAIL_ERRNO(errno, "poll")));
            return;
        }
        if (entries[0].revents != 0) {
            return;
        }
        OWNED(fd)
        int fd = accept4(admin->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(admin, fd);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) {
            clock_sleep_ms(100); /* Out of descriptors, say: do not spin. */
        }
    }
}

struct status admin_start(
    const char *address, const char *name, const char *(*health)(void *context), void *context,
    struct admin **ret_admin)
{
    OWNED(admin) struct admin *admin = malloc(sizeof(*admin));
    if (admin == NULL) {
        return FAIL(NO_MEMORY, "admin port");
    }
    *admin = (struct admin){
        .listen_fd = -1, .stop_fd = -1, .name = name, .health = health, .context = context};
    struct addrinfo *list = NULL;
    TRY(address_resolve(address, AI_PASSIVE, &list));
    struct status status = listen_on(list, &admin->listen_fd);
    freeaddrinfo(list);
    TRY(status);
    admin->port = port_of(admin->listen_fd);
    admin->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (admin->stop_fd < 0) {
        return FAIL_ERRNO(errno, "admin port");
    }
    TRY(task_start(&admin->task, "admin", run, admin));
    *ret_admin = TAKE(admin);
    return OK;
}

int admin_port(const struct admin *admin)
{
    return admin->port;
}

void admin_free(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    if (admin->task.is_running) {
        CHECK(eventfd_write(admin->stop_fd, 1) == 0);
        task_join(&admin->task);
    }
    fd_release(&admin->listen_fd);
    fd_release(&admin->stop_fd);
    free(admin);
}
