/*
 * The content DB: names, versions, chunk maps and wrapped keys of one shard. It holds no key that
 * opens data, no credentials of blob accounts, and calls only the key store.
 */

#include "contentdb/content_metrics.h"
#include "contentdb/content_service.h"
#include "contentdb/shard_anchor.h"
#include "contentdb/shard_header.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/task.h"
#include "lib/crypto/random.h"
#include "lib/daemon/daemon.h"
#include "lib/kv/shard_store_embedded.h"
#include "lib/telemetry/log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MESSAGE_MAX = 16 * 1024 * 1024,
    ARENA_MAX = 32 * 1024 * 1024,
    KEY_MESSAGE_MAX = 1024 * 1024,
    OPEN_CALL_MS = 5000,
    OPEN_RETRY_MS = 500,
    TICK_MS = 1000,
    SECRET_HEAP = 1024 * 1024,
    PATH_SIZE = 4096,
};

struct contentdb_settings {
#define OPTION CONFIG_FIELD
#include "contentdb/contentdb.def"
#undef OPTION
};

static const struct config_option OPTIONS[] = {
#define OPTION(...) CONFIG_ROW(struct contentdb_settings, __VA_ARGS__)
#include "contentdb/contentdb.def"
#undef OPTION
};

struct contentdb {
    struct rpc_client *rpc; /* Owned, as what follows. */
    struct key_client *key_client;
    struct key_shard *shard;
    struct shard_store *store;
    struct kv *kv;
    struct grant_gate *gate;
    struct shard_anchor *anchor;
    struct content_service *service;
    struct rpc_server *server;
    struct task metrics;
    int dir_fd;
    int lock_fd;
    int64_t opened_ms; /* When the OpenShard that was answered began. */
    int64_t drain_ms;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool is_stopping; /* Guarded by mutex. */
};

/* ---------------------------------------------------------------- what ends the process */

static void on_store_failed(void *context, struct status status)
{
    (void)context;
    daemon_fail(status, "the log failed: restart to see what is on the disk");
}

static void on_fence_lost(void *context, struct status status)
{
    (void)context;
    daemon_fail(status, "another instance has the shard");
}

/* A caller's word alone must not end us: any certificate of a service could. */
static void on_superseded(void *context, uint32_t fence)
{
    struct contentdb *db = context;
    if (shard_anchor_is_sole(db->anchor)) {
        log_event(LOG_WARN, "a caller names a fence that was not given", LOG_INT("fence", fence));
        return;
    }
    daemon_fail(FAIL(STALE, "a caller has seen a later fence"), "another instance has the shard");
}

static bool is_writable(void *context)
{
    struct contentdb *db = context;
    return shard_anchor_is_fresh(db->anchor) && !daemon_is_stopping();
}

/* ---------------------------------------------------------------- opening */

static struct status open_dir(const struct contentdb_settings *settings, struct contentdb *db)
{
    char path[PATH_SIZE];
    OWNED(fd) int data_fd = -1;
    TRY(file_open_dir(settings->data_dir, true, &data_fd));
    int size =
        snprintf(path, sizeof(path), "%s/shard-%u", settings->data_dir, (unsigned)settings->shard);
    if (size < 0 || (size_t)size >= sizeof(path)) {
        return FAIL(TOO_LARGE, "data_dir");
    }
    TRY(file_open_dir(path, true, &db->dir_fd));
    return file_lock(db->dir_fd, "lock", &db->lock_fd);
}

static struct status connect_keys(const struct contentdb_settings *settings, struct contentdb *db)
{
    const struct rpc_client_options options = {
        .tls =
            {.ca_file = settings->ca_file,
             .cert_file = settings->cert_file,
             .key_file = settings->key_file,
             .cluster = settings->cluster},
        .message_max = KEY_MESSAGE_MAX,
        .arena_max = KEY_MESSAGE_MAX,
    };
    TRY(rpc_client_start(&options, &db->rpc));
    return key_client_new(
        db->rpc, settings->keystore_address, settings->keystore_tls_name, NULL, &db->key_client);
}

/* Ask until the key store gives the keys. Only damage, or a shard that is not ours, is final. */
static struct status
open_shard(struct contentdb *db, const struct shard_header *header, const struct id16 *instance)
{
    enum status_code last = STATUS_OK;
    daemon_waiting("waiting for the key store");
    while (!daemon_is_stopping()) {
        db->opened_ms = clock_monotonic_ms();
        struct status status = key_client_open_shard(
            db->key_client, header->shard, &header->db_uuid, header->deks, header->deks_count,
            instance, db->opened_ms + OPEN_CALL_MS, &db->shard);
        if (status_ok(status) || status.code == STATUS_CORRUPT || status.code == STATUS_INVALID) {
            return status;
        }
        if (status.code != last) {
            log_event(LOG_WARN, "waiting for the key store", LOG_STATUS(status));
            last = status.code;
        }
        clock_sleep_ms(OPEN_RETRY_MS);
    }
    return FAIL(CANCELLED, "stopped while waiting for the key store");
}

static struct status open_kv(
    const struct contentdb_settings *settings, struct contentdb *db,
    const struct shard_header *header)
{
    char path[PATH_SIZE];
    int size = snprintf(
        path, sizeof(path), "%s/shard-%u/store", settings->data_dir, (unsigned)settings->shard);
    if (size < 0 || (size_t)size >= sizeof(path)) {
        return FAIL(TOO_LARGE, "data_dir");
    }
    const struct shard_store_embedded_options store = {
        .segment_size = settings->segment_size,
        .space_reserve = settings->space_reserve,
    };
    daemon_waiting("reading the log");
    TRY(shard_store_embedded_open(path, &store, &db->store));
    struct kv_dek deks[KEY_SHARD_DEKS_MAX];
    for (size_t i = 0; i < db->shard->deks_count; i++) {
        deks[i] = (struct kv_dek){
            .version = db->shard->deks[i].wrapped.version, .key = db->shard->deks[i].key};
    }
    struct kv_options options = {
        .db_uuid = header->db_uuid,
        .deks = deks,
        .deks_count = db->shard->deks_count,
        .fence = db->shard->fence,
        .lowest = {.fence = db->shard->anchor.fence, .seq = db->shard->anchor.seq},
        .memory_max = settings->memory_max,
        .on_fatal = on_store_failed,
        .on_fatal_context = db,
    };
    memcpy(options.lowest.chain_tag, db->shard->anchor.chain_tag, sizeof(options.lowest.chain_tag));
    struct status status = kv_open(db->store, &options, &db->kv);
    if (status.code == STATUS_CORRUPT) {
        log_event(
            LOG_ERROR,
            "the database is damaged, or older than what the key store last anchored: restore a "
            "later backup, or put the missing files back",
            LOG_INT("anchor_fence", options.lowest.fence),
            LOG_INT("anchor_seq", (int64_t)options.lowest.seq), LOG_STATUS(status));
    }
    return status;
}

static struct status open_database(const struct contentdb_settings *settings, struct contentdb *db)
{
    struct id16 instance;
    struct shard_header header;
    TRY(random_bytes(instance.bytes, ID16_SIZE));
    TRY(open_dir(settings, db));
    TRY(shard_header_load(db->dir_fd, (uint32_t)settings->shard, &header));
    TRY(connect_keys(settings, db));
    TRY(open_shard(db, &header, &instance));
    TRY(shard_header_update(db->dir_fd, &header, db->shard));
    TRY(grant_gate_new(&db->gate));
    grant_gate_update(db->gate, &db->shard->grants);
    TRY(open_kv(settings, db, &header));
    const struct shard_anchor_options options = {
        .kv = db->kv,
        .key_client = db->key_client,
        .gate = db->gate,
        .shard = header.shard,
        .instance = instance,
        .opened_ms = db->opened_ms,
        .on_lost = on_fence_lost,
        .context = db,
    };
    return shard_anchor_start(&options, &db->anchor);
}

static struct status serve(const struct contentdb_settings *settings, struct contentdb *db)
{
    const struct content_service_options service = {
        .kv = db->kv,
        .gate = db->gate,
        .shard = (uint32_t)settings->shard,
        .fence = db->shard->fence,
        .quarantine_ms = settings->quarantine,
        .steward_life_ms = settings->steward_life,
        .is_writable = is_writable,
        .on_superseded = on_superseded,
        .context = db,
    };
    TRY(content_service_new(&service, &db->service));
    struct rpc_service described = content_service_describe(db->service);
    const struct rpc_server_options options = {
        .address = settings->listen,
        .tls =
            {.ca_file = settings->ca_file,
             .cert_file = settings->cert_file,
             .key_file = settings->key_file,
             .cluster = settings->cluster},
        .workers = (unsigned)settings->workers,
        .queue_max = (unsigned)settings->queue_max,
        .message_max = MESSAGE_MAX,
        .arena_max = ARENA_MAX,
        .deadline_max_ms = (int64_t)settings->deadline_max,
        .admit = grant_gate_admit,
        .admit_context = db->gate,
    };
    TRY(rpc_server_start(&options, &described, 1, &db->server));
    log_event(
        LOG_INFO, "serving", LOG_TEXT("node", settings->node_id),
        LOG_INT("port", rpc_server_port(db->server)), LOG_INT("fence", (int64_t)db->shard->fence));
    return OK;
}

/* ---------------------------------------------------------------- metrics */

static bool tick(struct contentdb *db)
{
    LOCKED(&db->mutex);
    int64_t deadline_ms = clock_monotonic_ms() + TICK_MS;
    while (!db->is_stopping) {
        if (!task_condition_wait(&db->stopped, &db->mutex, deadline_ms)) {
            return false;
        }
    }
    return true;
}

static void publish_metrics(void *context)
{
    struct contentdb *db = context;
    do {
        struct kv_stats stats;
        kv_stats_get(db->kv, &stats);
        metric_set(&content_metrics_commits, (int64_t)stats.plans);
        metric_set(&content_metrics_groups, (int64_t)stats.groups);
        metric_set(&content_metrics_log_bytes, (int64_t)stats.log_bytes);
        metric_set(&content_metrics_rows, (int64_t)stats.rows);
        metric_set(&content_metrics_row_bytes, (int64_t)stats.row_bytes);
        metric_set(&content_metrics_anchor_age_ms, shard_anchor_age_ms(db->anchor));
        metric_set(&content_metrics_is_writable, shard_anchor_is_fresh(db->anchor));
    } while (!tick(db));
}

/* ---------------------------------------------------------------- life */

static void contentdb_free(struct contentdb *db)
{
    if (db == NULL) {
        return;
    }
    {
        LOCKED(&db->mutex);
        db->is_stopping = true;
        pthread_cond_signal(&db->stopped);
    }
    task_join(&db->metrics);
    rpc_server_free(db->server);
    content_service_free(db->service);
    shard_anchor_free(db->anchor);
    grant_gate_free(db->gate);
    kv_free(db->kv);
    shard_store_free(db->store);
    key_shard_free(db->shard);
    key_client_free(db->key_client);
    rpc_client_free(db->rpc);
    fd_release(&db->lock_fd);
    fd_release(&db->dir_fd);
    pthread_cond_destroy(&db->stopped);
    pthread_mutex_destroy(&db->mutex);
    free(db);
}

DEFINE_OWNED(contentdb)

static struct status start(const void *settings_, void **ret_daemon)
{
    const struct contentdb_settings *settings = settings_;
    TRY(log_setup_named("contentdb", settings->log_level));
    content_metrics_register();

    OWNED(contentdb) struct contentdb *db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return FAIL(NO_MEMORY, "content DB");
    }
    db->dir_fd = -1;
    db->lock_fd = -1;
    db->drain_ms = (int64_t)settings->drain_period;
    pthread_mutex_init(&db->mutex, NULL);
    task_condition_init(&db->stopped);
    TRY(open_database(settings, db));
    TRY(serve(settings, db));
    TRY(task_start(&db->metrics, "metrics", publish_metrics, db));
    *ret_daemon = TAKE(db);
    return OK;
}

static void stop(void *daemon)
{
    struct contentdb *db = daemon;
    rpc_server_stop(db->server, db->drain_ms);
    contentdb_free(db);
}

static const char *admin_address(const void *settings)
{
    return ((const struct contentdb_settings *)settings)->admin_listen;
}

int main(int argc, char **argv)
{
    const struct daemon_spec spec = {
        .name = "contentdb",
        .options = OPTIONS,
        .options_count = sizeof(OPTIONS) / sizeof(OPTIONS[0]),
        .settings_size = sizeof(struct contentdb_settings),
        .secret_heap = SECRET_HEAP,
        .admin_address = admin_address,
        .start = start,
        .stop = stop,
    };
    return daemon_main(argc, argv, &spec);
}
