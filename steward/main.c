/* The steward: keeps what is stored at full redundancy. Its only job so far is the repair queue. */

#include "lib/base/clock.h"
#include "lib/daemon/daemon.h"
#include "steward/repair.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_HEAP = 256 * 1024, READY_STEP_MS = 100 };

struct steward_settings {
#define OPTION CONFIG_FIELD
#include "steward/steward.def"
#undef OPTION
};

static const struct config_option steward_options[] = {
#define OPTION(...) CONFIG_ROW(struct steward_settings, __VA_ARGS__)
#include "steward/steward.def"
#undef OPTION
};

struct steward {
    struct rpc_client *rpc; /* All owned; freed from the last to the first. */
    struct key_client *keys;
    struct content_client *content;
    struct fragment_client *fragments;
    struct repair *repair;
};

static void steward_stop(void *daemon)
{
    struct steward *steward = daemon;
    if (steward == NULL) {
        return;
    }
    repair_free(steward->repair);
    fragment_client_free(steward->fragments);
    content_client_free(steward->content);
    key_client_free(steward->keys);
    rpc_client_free(steward->rpc);
    free(steward);
}

static struct status connect_peers(const struct steward_settings *settings, struct steward *steward)
{
    struct rpc_client_options rpc = {
        .tls =
            {.ca_file = settings->ca_file,
             .cert_file = settings->cert_file,
             .key_file = settings->key_file,
             .cluster = settings->cluster},
        .message_max = CONTENT_MESSAGE_MAX,
        .arena_max = CONTENT_ARENA_MAX,
    };
    TRY(rpc_client_start(&rpc, &steward->rpc));
    TRY(key_client_new(
        steward->rpc, settings->keystore_address, settings->keystore_tls_name, NULL,
        &steward->keys));
    TRY(content_client_new(
        steward->rpc, settings->contentdb_address, settings->contentdb_tls_name, NULL,
        &steward->content));
    struct fragment_client_options fragments = {
        .rpc_client = steward->rpc,
        .content_client = steward->content,
        .key_client = steward->keys,
        .perms = TOKEN_READ | TOKEN_WRITE,
    };
    return fragment_client_start(&fragments, &steward->fragments);
}

static struct status start_all(const struct steward_settings *settings, struct steward *steward)
{
    TRY(connect_peers(settings, steward));
    daemon_waiting("waiting for the content DB and the key store");
    while (!status_ok(
        fragment_client_wait_ready(steward->fragments, clock_monotonic_ms() + READY_STEP_MS))) {
        if (daemon_is_stopping()) {
            return FAIL(CANCELLED, "stopped while waiting for peers");
        }
    }
    struct repair_options repair = {
        .content = steward->content,
        .fragments = steward->fragments,
        .call_timeout_ms = (int64_t)settings->call_timeout,
        .idle_interval_ms = (int64_t)settings->idle_interval,
    };
    return repair_start(&repair, &steward->repair);
}

static struct status steward_start(const void *settings, void **ret_daemon)
{
    struct steward *steward = calloc(1, sizeof(*steward));
    if (steward == NULL) {
        return FAIL(NO_MEMORY, "steward");
    }
    struct status status = start_all(settings, steward);
    if (!status_ok(status)) {
        steward_stop(steward);
        return status;
    }
    *ret_daemon = steward;
    return OK;
}

static const char *admin_address(const void *settings)
{
    return ((const struct steward_settings *)settings)->admin_listen;
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "steward",
        .options = steward_options,
        .options_count = sizeof(steward_options) / sizeof(steward_options[0]),
        .settings_size = sizeof(struct steward_settings),
        .secret_heap = SECRET_HEAP,
        .admin_address = admin_address,
        .start = steward_start,
        .stop = steward_stop,
    };
    return daemon_main(argc, argv, &spec);
}
