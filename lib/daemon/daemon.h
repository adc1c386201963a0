#pragma once

/*
 * The life of a daemon process: command line, configuration, signals, admin port, drain.
 *
 *     int main(int argc, char **argv) { return daemon_main(argc, argv, &blobnode); }
 *
 * Usage of each: <daemon> --config FILE [--print-config] [--check-config] [--help].
 * Order: config, secure heap (secret_heap_init), admin port (health says "starting" and what it
 * waits for), start(), "ready"; SIGTERM or SIGINT: stop() and exit 0. A second signal exits at
 * once. SIGPIPE is ignored. GRPC_SSL_CIPHER_SUITES is set so that TLS 1.2 cannot be agreed.
 */

#include "lib/daemon/config.h"

struct daemon_spec {
    const char *name;
    const struct config_option *options;
    size_t options_count;
    size_t settings_size;
    size_t secret_heap; /* Bytes, a power of two; 0 for none. */
    /* Which option (TEXT, "127.0.0.1:9100" or "" for none) is the admin port's address. */
    const char *(*admin_address)(const void *settings);
    /* Start everything; may wait for peers, calling daemon_waiting(), and gives up when
     * daemon_is_stopping(). */
    struct status (*start)(const void *settings, void **ret_daemon);
    void (*stop)(void *daemon);
};

int daemon_main(int argc, char **argv, const struct daemon_spec *spec);

/* What /health answers (503) until start() returned: "waiting for the key store". Literal. */
void daemon_waiting(const char *what);

/* True once a signal asked for the end: loops in start() look at it. */
bool daemon_is_stopping(void);

/* End the process in order from any thread, exit code 1: a lost fence, a failed sync. The
 * reason is logged. */
void daemon_fail(struct status status, const char *what);
