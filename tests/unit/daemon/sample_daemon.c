/* A daemon that does nothing, for the test of the life cycle. */

#include "lib/base/clock.h"
#include "lib/daemon/daemon.h"

#include <stdio.h>
#include <string.h>

struct settings {
    const char *admin_address;
    const char *mode;
    bool unused;
};

static const struct config_option options[] = {
#define OPTION(...) CONFIG_ROW(struct settings, __VA_ARGS__)
    OPTION(admin_address, TEXT, "", NULL, NULL, "admin port")
        OPTION(mode, TEXT, "run", NULL, NULL, "run, wait, refuse or fail")
            OPTION(unused, FLAG, "false", NULL, NULL, "nothing")
#undef OPTION
};

static const char *admin_address(const void *settings)
{
    return ((const struct settings *)settings)->admin_address;
}

static struct status start(const void *settings, void **ret_daemon)
{
    static int daemon;
    const char *mode = ((const struct settings *)settings)->mode;
    if (strcmp(mode, "refuse") == 0) {
        return FAIL(CORRUPT, "asked to refuse");
    }
    daemon_waiting("waiting for the end");
    while (strcmp(mode, "wait") == 0) {
        if (daemon_is_stopping()) {
            return FAIL(CANCELLED, "stopped while waiting");
        }
        clock_sleep_ms(10);
    }
    if (strcmp(mode, "fail") == 0) {
        daemon_fail(FAIL(IO, "asked to fail"), "a sync failed");
    }
    *ret_daemon = &daemon;
    return OK;
}

static void stop(void *daemon)
{
    (void)daemon;
    puts("stopped in order");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "sample",
        .options = options,
        .options_count = sizeof(options) / sizeof(options[0]),
        .settings_size = sizeof(struct settings),
        .secret_heap = 65536,
        .admin_address = admin_address,
        .start = start,
        .stop = stop,
    };
    return daemon_main(argc, argv, &spec);
}
