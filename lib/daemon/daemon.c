#include "lib/daemon/daemon.h"

#include "lib/base/check.h"
#include "lib/base/mutant.h"
#include "lib/crypto/secret.h"
#include "lib/daemon/admin.h"
#include "lib/telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA_LIMIT = 1 << 20, TEXT_LIMIT = 1 << 20, STOP_MAX_S = 120, EXIT_USAGE = 2 };

/* The process has one daemon, and signal handlers and other threads must reach it. */
static _Atomic(const char *) waiting_for = "starting";
static atomic_bool is_stopping;
static atomic_bool is_failed;
static int wake_fds[2] = {-1, -1}; /* A pipe: the main thread reads. */

struct command {
    const char *config;
    bool print;
    bool check;
};

void daemon_waiting(const char *what)
{
    atomic_store(&waiting_for, what);
}

bool daemon_is_stopping(void)
{
    return atomic_load(&is_stopping);
}

static void wake(void)
{
    ssize_t written = write(wake_fds[1], "", 1);
    (void)written; /* A full pipe wakes as well. */
}

void daemon_fail(struct status status, const char *what)
{
    log_event(LOG_ERROR, "daemon ends", LOG_TEXT("what", what), LOG_STATUS(status));
    atomic_store(&is_failed, true);
    atomic_store(&is_stopping, true);
    wake();
}

/* Only what is safe in a handler. */
static void on_signal(int number)
{
    int saved = errno;
    if (number == SIGALRM) {
        static const char text[] = "{\"level\":\"error\",\"event\":\"stop took too long\"}\n";
        ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)written;
        _exit(EXIT_FAILURE);
    }
    if (atomic_exchange(&is_stopping, true)) {
        _exit(EXIT_FAILURE); /* The second one. */
    }
    wake();
    errno = saved;
}

static const char *health(void *context)
{
    (void)context;
    return atomic_load(&is_stopping) ? "stopping" : atomic_load(&waiting_for);
}

static struct status set_signals(void)
{
    if (pipe2(wake_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return FAIL_ERRNO(errno, "pipe");
    }
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0 ||
        sigaction(SIGALRM, &action, NULL) != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0) {
        return FAIL_ERRNO(errno, "signals");
    }
    return OK;
}

/* Sleep until a signal or daemon_fail. */
static void wait_for_end(void)
{
    while (!atomic_load(&is_stopping)) {
        char byte;
        ssize_t n = read(wake_fds[0], &byte, 1);
        if (n < 0 && errno == EAGAIN) {
            fd_set set;
            FD_ZERO(&set);
            FD_SET(wake_fds[0], &set);
            IGNORE(select(wake_fds[0] + 1, &set, NULL, NULL, NULL)); /* Looked at again. */
        }
    }
}

static void usage(FILE *file, const struct daemon_spec *spec)
{
    fprintf(
        file,
        "usage: %s --config FILE [--print-config] [--check-config] [--help]\n\n"
        "  --config FILE    \"key = value\" lines\n"
        "  --print-config   print every option with its value in force, and exit\n"
        "  --check-config   check the file, and exit\n\noptions of the file:\n",
        spec->name);
    for (size_t i = 0; i < spec->options_count; i++) {
        const struct config_option *option = &spec->options[i];
        fprintf(
            file, "  %-24s %s (%s)\n", option->name, option->help,
            option->fallback == NULL   ? "must be set"
            : option->fallback[0] == 0 ? "none"
                                       : option->fallback);
    }
}

/* 0 to go on, else the exit code + 1. */
static int
parse_command(int argc, char **argv, const struct daemon_spec *spec, struct command *command)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},
        {"print-config", no_argument, NULL, 'p'},
        {"check-config", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int found; (found = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (found) {
        case 'c':
            command->config = optarg;
            break;
        case 'p':
            command->print = true;
            break;
        case 'k':
            command->check = true;
            break;
        case 'h':
            usage(stdout, spec);
            return EXIT_SUCCESS + 1;
        default:
            usage(stderr, spec);
            return EXIT_USAGE + 1;
        }
    }
    if (command->config == NULL || optind != argc) {
        usage(stderr, spec);
        return EXIT_USAGE + 1;
    }
    return 0;
}

static struct status
load_settings(const struct daemon_spec *spec, const char *path, struct arena *arena, void *settings)
{
    BUFFER(error, TEXT_LIMIT);
    struct status status =
        config_load(path, spec->options, spec->options_count, arena, settings, &error);
    if (!status_ok(status)) {
        fprintf(stderr, "%s: %.*s", spec->name, (int)error.size, (const char *)error.data);
    }
    return status;
}

static int print_settings(const struct daemon_spec *spec, const void *settings)
{
    BUFFER(text, TEXT_LIMIT);
    config_print(spec->options, spec->options_count, settings, &text);
    if (!status_ok(buffer_status(&text)) || fwrite(text.data, 1, text.size, stdout) != text.size ||
        fflush(stdout) != 0) {
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* A heap that cannot be locked is said loudly, once, and used: a container may forbid it. */
static struct status make_secret_heap(const struct daemon_spec *spec)
{
    if (spec->secret_heap == 0) {
        return OK;
    }
    struct status status = secret_heap_init(spec->secret_heap, true);
    if (status_ok(status)) {
        return OK;
    }
    log_event(
        LOG_WARN, "keys may be swapped out: raise RLIMIT_MEMLOCK",
        LOG_INT("heap_bytes", spec->secret_heap), LOG_STATUS(status));
    return secret_heap_init(spec->secret_heap, false);
}

/* From here on what fails is logged. */
static struct status live(const struct daemon_spec *spec, const void *settings)
{
    TRY(set_signals());
    TRY(make_secret_heap(spec));
    OWNED(admin) struct admin *admin = NULL;
    const char *address = spec->admin_address == NULL ? "" : spec->admin_address(settings);
    if (address[0] != '\0') {
        TRY(admin_start(address, spec->name, health, NULL, &admin));
    }
    log_event(
        LOG_INFO, "starting", LOG_INT("pid", getpid()),
        LOG_INT("admin_port", admin == NULL ? 0 : admin_port(admin)));

    if (MUTANT_IS_BUILT) {
        log_event(
            LOG_ERROR, "MUTANT: broken on purpose, loses data", LOG_TEXT("mutant", MUTANT_NAME));
    }
    void *daemon = NULL;
    struct status started = spec->start(settings, &daemon);
    if (!status_ok(started)) {
        return atomic_load(&is_stopping) && !atomic_load(&is_failed) ? OK : started;
    }
    daemon_waiting(NULL);
    log_event(LOG_INFO, "ready");
    wait_for_end();

    log_event(LOG_INFO, "stopping");
    alarm(STOP_MAX_S);
    spec->stop(daemon);
    alarm(0);
    log_event(LOG_INFO, "stopped");
    return OK;
}

int daemon_main(int argc, char **argv, const struct daemon_spec *spec)
{
    /* Before there are threads: gRPC reads it once, and with it TLS 1.2 has no suite left that an
     * ECDSA certificate could use (lib/rpc/rpc_tls.h). */
    setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1);
    log_setup(spec->name, LOG_INFO);

    struct command command = {.config = NULL};
    int decided = parse_command(argc, argv, spec, &command);
    if (decided != 0) {
        return decided - 1;
    }
    ARENA(arena, ARENA_LIMIT);
    void *settings = arena_zalloc(&arena, 1, spec->settings_size);
    if (settings == NULL || !status_ok(load_settings(spec, command.config, &arena, settings))) {
        return EXIT_USAGE;
    }
    if (command.print) {
        return print_settings(spec, settings);
    }
    if (command.check) {
        printf("%s: ok\n", command.config);
        return EXIT_SUCCESS;
    }

    struct status status = live(spec, settings);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "daemon cannot run", LOG_STATUS(status));
        return EXIT_FAILURE;
    }
    return atomic_load(&is_failed) ? EXIT_FAILURE : EXIT_SUCCESS;
}
