/*
 * The steward: maintenance, without any key that opens data. One is active; its first job is the
 * repair queue. Also pushes keysets to the blob nodes, as every frontend does.
 */

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/daemon/daemon.h"
#include "lib/telemetry/log.h"
#include "lib/telemetry/metric.h"
#include "steward/repair.h"

#include <stdlib.h>

enum { WAIT_STEP_MS = 500, SECRET_HEAP = 256 * 1024, MESSAGE_MAX = BLOB_MESSAGE_MAX };

struct steward_settings {
#define OPTION CONFIG_FIELD
#include "steward/steward.def"
#undef OPTION
};

static const struct config_option OPTIONS[] = {
#define OPTION(...) CONFIG_ROW(struct steward_settings, __VA_ARGS__)
#include "steward/steward.def"
#undef OPTION
};

static METRIC_DEFINE(
    is_active_now, METRIC_GAUGE, "triad_steward_active", "1 while this steward is the active one");
static METRIC_DEFINE(
    repaired, METRIC_COUNTER, "triad_steward_repairs_total", "Chunks back at full redundancy");
static METRIC_DEFINE(
    failed, METRIC_COUNTER, "triad_steward_repairs_failed_total", "Repairs put off");

struct steward {
    const struct steward_settings *settings; /* Outlives us. */
    struct rpc_client *rpc_client;           /* Owned, as what follows. */
    struct key_client *keys;
    struct content_client *content;
    struct fragment_client *fragments;
    struct erasure_table *erasures;
    struct chunk_pool *pool;
    struct task task;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool is_stopping; /* Guarded by mutex. */
    struct content_steward role;
    int64_t renew_ms; /* When to take the role again. */
};

/* Wait; true when the steward stops. */
static bool pause_for(struct steward *steward, int64_t duration_ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + duration_ms;
    LOCKED(&steward->mutex);
    while (!steward->is_stopping) {
        if (!task_condition_wait(&steward->stopped, &steward->mutex, deadline_ms)) {
            return false;
        }
    }
    return true;
}

/* Take or keep the role; true while we have it. */
static bool take_role(struct steward *steward)
{
    int64_t now = clock_monotonic_ms();
    if (steward->role.is_active && now < steward->renew_ms) {
        return true;
    }
    struct content_steward role = {.is_active = false};
    struct status status = content_client_take_steward(
        steward->content, steward->role.fence, now + (int64_t)steward->settings->call_timeout,
        &role);
    bool was_active = steward->role.is_active;
    steward->role.is_active = status_ok(status) && role.is_active;
    if (steward->role.is_active) {
        steward->role = role;
        steward->renew_ms = now + (int64_t)role.life_ms / 3;
    }
    metric_set(&is_active_now, steward->role.is_active ? 1 : 0);
    if (was_active != steward->role.is_active) {
        log_event(
            LOG_INFO, steward->role.is_active ? "active steward" : "not the active steward",
            LOG_INT("fence", steward->role.fence), LOG_STATUS(status));
    }
    return steward->role.is_active;
}

/* One task; true if it is done with. */
static bool repair_one(struct steward *steward, const Triad__Content__RepairTask *task)
{
    struct repair_options options = {
        .content = steward->content,
        .fragments = steward->fragments,
        .erasures = steward->erasures,
        .pool = steward->pool,
        .steward_fence = steward->role.fence,
        .fragment_timeout_ms = (int64_t)steward->settings->fragment_timeout,
        .call_timeout_ms = (int64_t)steward->settings->call_timeout,
    };
    struct status status = repair_run(&options, task);
    if (status.code == STATUS_STALE) {
        steward->role.is_active = false;
    }
    bool is_done = status_ok(status);
    metric_add(is_done ? &repaired : &failed, 1);
    if (!is_done) {
        log_event(
            LOG_WARN, "repair put off", LOG_HEX("content", content_client_bytes(task->content)),
            LOG_INT("page", task->page), LOG_INT("chunk", task->chunk), LOG_STATUS(status));
    }
    return is_done;
}

/* Ask for repairs and do them; how long to wait afterwards. */
static int64_t repair_round(struct steward *steward)
{
    Triad__Content__NextRepairsRequest request = TRIAD__CONTENT__NEXT_REPAIRS_REQUEST__INIT;
    request.steward_fence = steward->role.fence;
    request.limit = (uint32_t)steward->settings->repair_batch;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__NextRepairsReply *next = NULL;
    struct status status = content_client_next_repairs(
        steward->content, &request, clock_monotonic_ms() + (int64_t)steward->settings->call_timeout,
        &reply, &next);
    if (!status_ok(status) || next->outcome != TRIAD__CONTENT__OUTCOME__DONE) {
        log_event(LOG_WARN, "no list of repairs", LOG_STATUS(status));
        steward->role.is_active = false; /* Ask for the role again. */
        return (int64_t)steward->settings->retry_pause;
    }
    size_t done = 0;
    for (size_t i = 0; i < next->n_tasks && take_role(steward); i++) {
        done += repair_one(steward, next->tasks[i]) ? 1 : 0;
        if (pause_for(steward, 0)) {
            return 0;
        }
    }
    if (next->n_tasks == 0) {
        return (int64_t)steward->settings->repair_pause;
    }
    return done > 0 ? 0 : (int64_t)steward->settings->retry_pause;
}

static void run(void *context)
{
    struct steward *steward = context;
    int64_t wait_ms = 0;
    while (!pause_for(steward, wait_ms)) {
        wait_ms =
            take_role(steward) ? repair_round(steward) : (int64_t)steward->settings->repair_pause;
    }
}

static void steward_free(struct steward *steward)
{
    if (steward == NULL) {
        return;
    }
    fragment_client_free(steward->fragments);
    key_client_free(steward->keys);
    content_client_free(steward->content);
    rpc_client_free(steward->rpc_client);
    chunk_pool_free(steward->pool);
    erasure_table_free(steward->erasures);
    pthread_cond_destroy(&steward->stopped);
    pthread_mutex_destroy(&steward->mutex);
    free(steward);
}

DEFINE_OWNED(steward)

static struct status connect_peers(struct steward *steward)
{
    const struct steward_settings *settings = steward->settings;
    struct rpc_client_options options = {
        .message_max = MESSAGE_MAX,
        .arena_max = CONTENT_ARENA_MAX,
    };
    options.tls.ca_file = settings->ca_file;
    options.tls.cert_file = settings->cert_file;
    options.tls.key_file = settings->key_file;
    options.tls.cluster = settings->cluster;
    TRY(rpc_client_start(&options, &steward->rpc_client));
    TRY(key_client_new(
        steward->rpc_client, settings->keystore_address, settings->keystore_tls_name, NULL,
        &steward->keys));
    TRY(content_client_new(
        steward->rpc_client, settings->contentdb_address, settings->contentdb_tls_name, NULL,
        &steward->content));
    struct fragment_client_options fragments = {
        .rpc_client = steward->rpc_client,
        .content_client = steward->content,
        .key_client = steward->keys,
        .perms = TOKEN_READ | TOKEN_WRITE,
    };
    return fragment_client_start(&fragments, &steward->fragments);
}

static struct status wait_for_peers(struct steward *steward)
{
    daemon_waiting("waiting for the content DB, the storage accounts and the key store");
    while (!daemon_is_stopping()) {
        struct status status =
            fragment_client_wait_ready(steward->fragments, clock_monotonic_ms() + WAIT_STEP_MS);
        if (status.code != STATUS_TIMEOUT) {
            return status;
        }
    }
    return FAIL(CANCELLED, "stopped while waiting for peers");
}

static struct status start(const void *settings_, void **ret_daemon)
{
    const struct steward_settings *settings = settings_;
    TRY(log_setup_named("steward", settings->log_level));
    metric_register(&is_active_now);
    metric_register(&repaired);
    metric_register(&failed);
    OWNED(steward) struct steward *steward = calloc(1, sizeof(*steward));
    if (steward == NULL) {
        return FAIL(NO_MEMORY, "steward");
    }
    steward->settings = settings;
    pthread_mutex_init(&steward->mutex, NULL);
    task_condition_init(&steward->stopped);
    struct chunk_pool_options pool = {
        .small_size = 1024 * 1024, .small_count = 1, .large_count = 1};
    pool.large_size = settings->chunk_memory;
    TRY(chunk_pool_new(&pool, &steward->pool));
    TRY(erasure_table_new(&steward->erasures));
    TRY(connect_peers(steward));
    TRY(wait_for_peers(steward));
    TRY(task_start(&steward->task, "repair", run, steward));

    *ret_daemon = TAKE(steward);
    return OK;
}

static void stop(void *daemon)
{
    struct steward *steward = daemon;
    pthread_mutex_lock(&steward->mutex);
    steward->is_stopping = true;
    pthread_cond_signal(&steward->stopped);
    pthread_mutex_unlock(&steward->mutex);
    task_join(&steward->task);
    steward_free(steward);
}

static const char *admin_address(const void *settings)
{
    const struct steward_settings *steward = settings;
    return steward->admin_listen;
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "steward",
        .options = OPTIONS,
        .options_count = sizeof(OPTIONS) / sizeof(OPTIONS[0]),
        .settings_size = sizeof(struct steward_settings),
        .secret_heap = SECRET_HEAP,
        .admin_address = admin_address,
        .start = start,
        .stop = stop,
    };
    return daemon_main(argc, argv, &spec);
}
