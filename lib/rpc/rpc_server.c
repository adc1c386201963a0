#include "lib/rpc/rpc_server.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/rpc/rpc_call.h"
#include "lib/rpc/rpc_metadata.h"
#include "lib/rpc/rpc_tls.h"
#include "lib/rpc/rpc_workers.h"

#include <limits.h>
#include <stdlib.h>

#include <grpc/support/time.h>

enum {
    CALLS_ARMED = 16,
    STREAMS_MAX = 64, /* A connection. */
    TICK_MS = 1000,
    CONNECTION_AGE_MS = 3600 * 1000,
    CONNECTION_GRACE_MS = 600 * 1000,
    HANDSHAKE_TIMEOUT_MS = 10 * 1000,
    KEEPALIVE_MS = 10 * 1000,
    KEEPALIVE_TIMEOUT_MS = 5 * 1000,
    PING_INTERVAL_MIN_MS = 5 * 1000,
};

struct rpc_server {
    struct rpc_server_options options; /* Its texts are used at the start only. */
    struct rpc_tls *tls;               /* Owned, as all here. */
    struct rpc_routes *routes;
    struct rpc_peer_cache *peers;
    struct rpc_workers *workers;
    grpc_completion_queue *queue;
    grpc_server *server;
    struct task poller;
    int port;
    bool is_started;
    atomic_bool is_stopping;
    struct rpc_tag shutdown;
    struct rpc_call_host host; /* The polling thread's. */

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_shut;  /* gRPC closed everything. */
    bool is_empty; /* And no call is left. */
};

static grpc_arg integer_argument(const char *key, size_t value)
{
    CHECK(value <= INT_MAX);
    /* gRPC copies the key, though its type is not const. */
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER,
        .key = (char *)(uintptr_t)key,
        .value.integer = (int)value,
    };
}

static grpc_server *make_server(size_t message_max)
{
    grpc_arg arguments[] = {
        integer_argument(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, message_max),
        integer_argument(GRPC_ARG_MAX_METADATA_SIZE, RPC_METADATA_MAX),
        integer_argument(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX),
        integer_argument(GRPC_ARG_ALLOW_REUSEPORT, 0),
        integer_argument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        integer_argument(GRPC_ARG_MAX_CONNECTION_AGE_MS, CONNECTION_AGE_MS),
        integer_argument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, CONNECTION_GRACE_MS),
        integer_argument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS),
        integer_argument(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        integer_argument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        integer_argument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer_argument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer_argument(
            GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MIN_MS),
    };
    grpc_channel_args all = {
        .num_args = sizeof(arguments) / sizeof(arguments[0]), .args = arguments};
    return grpc_server_create(&all, NULL);
}

static void on_shutdown(void *arg, bool is_ok)
{
    struct rpc_server *server = arg;
    (void)is_ok;
    LOCKED(&server->mutex);
    server->is_shut = true;
}

static void tick(struct rpc_server *server, int64_t now_ms)
{
    rpc_call_expire(&server->host, now_ms);
    while (server->host.armed < CALLS_ARMED && !atomic_load(&server->is_stopping)) {
        unsigned before = server->host.armed;
        rpc_call_arm(&server->host);
        if (server->host.armed == before) {
            return; /* No memory; later. */
        }
    }
}

/* Only after this may the queue be shut down: gRPC aborts on an operation begun later. */
static void note_if_empty(struct rpc_server *server)
{
    LOCKED(&server->mutex);
    if (server->is_shut && server->host.alive == 0 && !server->is_empty) {
        server->is_empty = true;
        pthread_cond_broadcast(&server->changed);
    }
}

static void poll_queue(void *context)
{
    struct rpc_server *server = context;
    int64_t next_tick_ms = 0;
    for (;;) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= next_tick_ms) {
            tick(server, now_ms);
            next_tick_ms = now_ms + TICK_MS;
        }
        gpr_timespec until = gpr_time_add(
            gpr_now(GPR_CLOCK_MONOTONIC),
            gpr_time_from_millis(next_tick_ms - now_ms, GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(server->queue, until, NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            struct rpc_tag *tag = event.tag;
            tag->fn(tag->arg, event.success != 0);
        }
        if (atomic_load(&server->is_stopping)) {
            note_if_empty(server);
        }
    }
}

static struct status bind_port(struct rpc_server *server)
{
    grpc_server_credentials *credentials = NULL;
    TRY(rpc_tls_server_credentials(server->tls, &credentials));
    server->port = grpc_server_add_http2_port(server->server, server->options.address, credentials);
    grpc_server_credentials_release(credentials);
    if (server->port <= 0) {
        return FAIL(UNAVAILABLE, "the address to listen on cannot be bound");
    }
    return OK;
}

static struct status start(struct rpc_server *server)
{
    server->server = make_server(server->options.message_max);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server->server, server->queue, NULL);
    TRY(bind_port(server));
    server->host = (struct rpc_call_host){
        .server = server->server,
        .queue = server->queue,
        .routes = server->routes,
        .peers = server->peers,
        .workers = server->workers,
        .options = &server->options,
    };
    server->shutdown = (struct rpc_tag){.fn = on_shutdown, .arg = server};
    grpc_server_start(server->server);
    TRY(task_start(&server->poller, "rpc-poll", poll_queue, server));
    server->is_started = true;
    return OK;
}

struct status rpc_server_start(
    const struct rpc_server_options *options, const struct rpc_service *services, size_t count,
    struct rpc_server **ret_server)
{
    CHECK(options->workers >= 1 && options->deadline_max_ms > 0);
    OWNED(rpc_server) struct rpc_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return FAIL(NO_MEMORY, "server");
    }
    rpc_tls_library_init();
    server->options = *options;
    CHECK(pthread_mutex_init(&server->mutex, NULL) == 0);
    task_condition_init(&server->changed);
    TRY(rpc_route_new(services, count, &server->routes));
    TRY(rpc_peer_cache_new(options->tls.cluster, &server->peers));
    TRY(rpc_tls_new(&options->tls, &server->tls));
    TRY(rpc_tls_check(server->tls));
    TRY(rpc_workers_start(options->workers, rpc_call_run, &server->workers));
    TRY(start(server));
    *ret_server = TAKE(server);
    return OK;
}

int rpc_server_port(const struct rpc_server *server)
{
    return server->port;
}

static bool wait_until_empty(struct rpc_server *server, int64_t deadline_ms)
{
    LOCKED(&server->mutex);
    while (!server->is_empty) {
        if (!task_condition_wait(&server->changed, &server->mutex, deadline_ms)) {
            return server->is_empty;
        }
    }
    return true;
}

void rpc_server_stop(struct rpc_server *server, int64_t grace_ms)
{
    if (!server->is_started) {
        return;
    }
    server->is_started = false;
    atomic_store(&server->is_stopping, true);
    grpc_server_shutdown_and_notify(server->server, server->queue, &server->shutdown);
    if (!wait_until_empty(server, clock_monotonic_ms() + grace_ms)) {
        grpc_server_cancel_all_calls(server->server);
        while (!wait_until_empty(server, clock_monotonic_ms() + TICK_MS)) {
        }
    }
    grpc_completion_queue_shutdown(server->queue);
    task_join(&server->poller);
    rpc_workers_free(TAKE(server->workers));
}

/* A queue that no thread polled, of a server that did not start. */
static void drain_queue(grpc_completion_queue *queue)
{
    while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
}

void rpc_server_free(struct rpc_server *server)
{
    if (server == NULL) {
        return;
    }
    bool is_unpolled = server->queue != NULL && !server->is_started && server->workers != NULL;
    rpc_server_stop(server, 0);
    if (is_unpolled) {
        grpc_server_shutdown_and_notify(server->server, server->queue, &server->shutdown);
        grpc_completion_queue_shutdown(server->queue);
        drain_queue(server->queue);
    }
    if (server->server != NULL) {
        grpc_server_destroy(server->server);
    }
    if (server->queue != NULL) {
        grpc_completion_queue_destroy(server->queue);
    }
    rpc_workers_free(server->workers);
    rpc_routes_free(server->routes);
    rpc_peer_cache_free(server->peers);
    grpc_shutdown();
    rpc_tls_free(server->tls);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}
