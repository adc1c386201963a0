/*
 * The blob node: ciphertext fragments by opaque id, in accounts. It calls nobody.
 */

#include "blobnode/blob_metrics.h"
#include "blobnode/blob_service.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/daemon/daemon.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

enum { TICK_MS = 1000, EXPIRE_TICKS = 60, ARENA_MAX = 8 * 1024 * 1024 };

struct blobnode_settings {
#define OPTION CONFIG_FIELD
#include "blobnode/blobnode.def"
#undef OPTION
};

static const struct config_option OPTIONS[] = {
#define OPTION(...) CONFIG_ROW(struct blobnode_settings, __VA_ARGS__)
#include "blobnode/blobnode.def"
#undef OPTION
};

struct blobnode {
    struct blob_store *store; /* Owned, as what follows. */
    struct blob_service service;
    struct rpc_server *server;
    struct task housekeeping;
    int64_t drain_ms;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool is_stopping; /* Guarded by mutex. */
};

static void publish_figures(struct blob_store *store)
{
    struct blob_store_stat stat;
    blob_store_stat(store, &stat);
    metric_set(&blob_metrics_accounts, (int64_t)stat.accounts);
    metric_set(&blob_metrics_accounts_broken, (int64_t)stat.accounts_broken);
    metric_set(&blob_metrics_blobs, (int64_t)stat.blobs);
    metric_set(&blob_metrics_bytes, (int64_t)stat.bytes);
    metric_set(&blob_metrics_trash_bytes, (int64_t)stat.trash_bytes);
    metric_set(&blob_metrics_damaged, (int64_t)stat.damaged);
    metric_set(&blob_metrics_syncs, (int64_t)stat.syncs);
    metric_set(&blob_metrics_free_bytes, (int64_t)stat.free_bytes);
}

/* Wait one tick; true when the daemon stops. */
static bool tick(struct blobnode *node)
{
    LOCKED(&node->mutex);
    int64_t deadline_ms = clock_monotonic_ms() + TICK_MS;
    while (!node->is_stopping) {
        if (!task_condition_wait(&node->stopped, &node->mutex, deadline_ms)) {
            return false;
        }
    }
    return true;
}

static void keep_house(void *context)
{
    struct blobnode *node = context;
    for (unsigned ticks = 0; !tick(node); ticks++) {
        publish_figures(node->store);
        if (ticks % EXPIRE_TICKS == EXPIRE_TICKS - 1) {
            blob_store_expire(node->store, (uint64_t)clock_wall_s());
        }
    }
}

static struct status open_store(const struct blobnode_settings *settings, struct blobnode *node)
{
    struct blob_store_options options = {
        .data_dir = settings->data_dir,
        .account =
            {
                .segment_size = settings->segment_size,
                .space_reserve = settings->space_reserve,
                .trash_period_s = settings->trash_period / 1000,
                .deletes_minute_max = settings->deletes_minute_max,
            },
        .token_life_max_s = settings->token_life_max / 1000,
    };
    TRY(blob_keyring_root_load(settings->keyset_root_file, &options.root));
    return blob_store_open(&options, &node->store);
}

static struct status serve(const struct blobnode_settings *settings, struct blobnode *node)
{
    node->service = (struct blob_service){.store = node->store, .node_id = settings->node_id};
    struct rpc_service service = blob_service_table(&node->service);
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
        .message_max = BLOB_MESSAGE_MAX,
        .arena_max = ARENA_MAX,
        .deadline_max_ms = (int64_t)settings->deadline_max,
    };
    TRY(rpc_server_start(&options, &service, 1, &node->server));
    log_event(
        LOG_INFO, "serving", LOG_TEXT("node", settings->node_id),
        LOG_INT("port", rpc_server_port(node->server)));
    return OK;
}

static void blobnode_free(struct blobnode *node)
{
    if (node == NULL) {
        return;
    }
    {
        LOCKED(&node->mutex);
        node->is_stopping = true;
        pthread_cond_signal(&node->stopped);
    }
    task_join(&node->housekeeping);
    rpc_server_free(node->server);
    blob_store_free(node->store);
    pthread_cond_destroy(&node->stopped);
    pthread_mutex_destroy(&node->mutex);
    free(node);
}

DEFINE_OWNED(blobnode)

static struct status start(const void *settings_, void **ret_daemon)
{
    const struct blobnode_settings *settings = settings_;
    TRY(log_setup_named("blobnode", settings->log_level));
    blob_metrics_register();

    OWNED(blobnode) struct blobnode *node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return FAIL(NO_MEMORY, "blob node");
    }
    node->drain_ms = (int64_t)settings->drain_period;
    pthread_mutex_init(&node->mutex, NULL);
    task_condition_init(&node->stopped);
    daemon_waiting("opening the accounts");
    TRY(open_store(settings, node));
    publish_figures(node->store);
    TRY(serve(settings, node));
    TRY(task_start(&node->housekeeping, "housekeeping", keep_house, node));
    *ret_daemon = TAKE(node);
    return OK;
}

static void stop(void *daemon)
{
    struct blobnode *node = daemon;
    rpc_server_stop(node->server, node->drain_ms);
    blobnode_free(node);
}

static const char *admin_address(const void *settings)
{
    return ((const struct blobnode_settings *)settings)->admin_listen;
}

int main(int argc, char **argv)
{
    const struct daemon_spec spec = {
        .name = "blobnode",
        .options = OPTIONS,
        .options_count = sizeof(OPTIONS) / sizeof(OPTIONS[0]),
        .settings_size = sizeof(struct blobnode_settings),
        .admin_address = admin_address,
        .start = start,
        .stop = stop,
    };
    return daemon_main(argc, argv, &spec);
}
