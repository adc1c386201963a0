/*
 * The key store: master to bucket keys, S3 identities, tokens, grants, the registry, the audit log.
 *
 *     keystore init  --config FILE    make the vaults
 *     keystore audit --config FILE    check the audit log (while stopped)
 *     keystore       --config FILE    serve
 */

#include "keystore/key_metrics.h"
#include "keystore/keystore_commands.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/daemon/daemon.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>
#include <string.h>

enum {
    MESSAGE_MAX = 2 * 1024 * 1024,
    ARENA_MAX = 16 * 1024 * 1024,
    SECRET_HEAP = 4 * 1024 * 1024,
    ROTATE_MS = 60 * 60 * 1000,
};

struct keystore {
    struct key_service *service; /* Owned, as what follows. */
    struct rpc_server *server;
    struct task rotation;
    int64_t drain_ms;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool is_stopping; /* Guarded by mutex. */
};

static void storage_lost(void *context, struct status status)
{
    (void)context;
    daemon_fail(status, "a vault or the audit log cannot be written any more");
}

/* Wait until the next review of the signing pairs; true when the daemon stops. */
static bool rest(struct keystore *keystore)
{
    int64_t deadline_ms = clock_monotonic_ms() + ROTATE_MS;

    LOCKED(&keystore->mutex);
    while (!keystore->is_stopping) {
        if (!task_condition_wait(&keystore->stopped, &keystore->mutex, deadline_ms)) {
            return false;
        }
    }
    return true;
}

static void rotate(void *context)
{
    struct keystore *keystore = context;

    do {
        struct status status = key_service_rotate(keystore->service);
        if (!status_ok(status)) {
            log_event(LOG_WARN, "signing pairs were not reviewed", LOG_STATUS(status));
        }
    } while (!rest(keystore));
}

static struct status
open_service(const struct keystore_settings *settings, struct keystore *keystore)
{
    OWNED(secret) struct secret *slot_key = NULL;

    TRY(keystore_settings_check(settings));
    TRY(seal_read_key_file(settings->seal_key_file, false, &slot_key));
    struct key_service_options options = keystore_settings_service(settings, slot_key);
    options.on_fatal = storage_lost;
    return key_service_open(&options, &keystore->service);
}

static struct status serve(const struct keystore_settings *settings, struct keystore *keystore)
{
    struct rpc_service services[KEY_SERVICE_COUNT];
    struct rpc_server_options options = {
        .address = settings->listen,
        .tls =
            {
                .ca_file = settings->ca_file,
                .cert_file = settings->cert_file,
                .key_file = settings->key_file,
                .cluster = settings->cluster,
            },
        .workers = (unsigned)settings->workers,
        .queue_max = (unsigned)settings->queue_max,
        .message_max = MESSAGE_MAX,
        .arena_max = ARENA_MAX,
        .deadline_max_ms = (int64_t)settings->deadline_max,
        .admit = key_service_admit,
        .admit_context = keystore->service,
    };

    key_service_tables(keystore->service, services);
    TRY(rpc_server_start(&options, services, KEY_SERVICE_COUNT, &keystore->server));
    log_event(
        LOG_INFO, "serving", LOG_TEXT("node", settings->node_id),
        LOG_INT("port", rpc_server_port(keystore->server)));
    return OK;
}

static void keystore_free(struct keystore *keystore)
{
    if (keystore == NULL) {
        return;
    }
    pthread_mutex_lock(&keystore->mutex);
    keystore->is_stopping = true;
    pthread_cond_signal(&keystore->stopped);
    pthread_mutex_unlock(&keystore->mutex);
    task_join(&keystore->rotation);
    rpc_server_free(keystore->server);
    key_service_free(keystore->service);
    pthread_cond_destroy(&keystore->stopped);
    pthread_mutex_destroy(&keystore->mutex);
    free(keystore);
}

DEFINE_OWNED(keystore)

static struct status start(const void *settings_, void **ret_daemon)
{
    const struct keystore_settings *settings = settings_;

    TRY(log_setup_named("keystore", settings->log_level));
    key_metrics_register();
    OWNED(keystore) struct keystore *keystore = calloc(1, sizeof(*keystore));
    if (keystore == NULL) {
        return FAIL(NO_MEMORY, "key store");
    }
    keystore->drain_ms = (int64_t)settings->drain_period;
    pthread_mutex_init(&keystore->mutex, NULL);
    task_condition_init(&keystore->stopped);
    daemon_waiting("unsealing the vaults");
    TRY(open_service(settings, keystore));
    TRY(serve(settings, keystore));
    TRY(task_start(&keystore->rotation, "rotation", rotate, keystore));
    *ret_daemon = TAKE(keystore);
    return OK;
}

static void stop(void *daemon)
{
    struct keystore *keystore = daemon;

    rpc_server_stop(keystore->server, keystore->drain_ms);
    keystore_free(keystore);
}

static const char *admin_address(const void *settings)
{
    return ((const struct keystore_settings *)settings)->admin_listen;
}

int main(int argc, char **argv)
{
    struct daemon_spec spec = {
        .name = "keystore",
        .settings_size = sizeof(struct keystore_settings),
        .secret_heap = SECRET_HEAP,
        .admin_address = admin_address,
        .start = start,
        .stop = stop,
    };

    if (argc > 1 && strcmp(argv[1], "init") == 0) {
        return keystore_commands_init(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "audit") == 0) {
        return keystore_commands_audit(argc - 1, argv + 1);
    }
    spec.options = keystore_settings_options(&spec.options_count);
    return daemon_main(argc, argv, &spec);
}
