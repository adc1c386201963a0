#include "lib/rpc/rpc_client.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/rpc/rpc_client_state.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

#include <grpc/support/time.h>

enum { TICK_MS = 1000, RENEW_MS = 60 * 1000 };

void rpc_client_renew(struct rpc_client *client)
{
    struct rpc_tls_material *material = NULL;
    struct status status = rpc_tls_poll(client->tls, &material);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "certificate files cannot be used", LOG_STATUS(status));
        return;
    }
    if (material == NULL) {
        return;
    }
    pthread_mutex_lock(&client->mutex);
    rpc_tls_material_free(client->material);
    client->material = material;
    pthread_mutex_unlock(&client->mutex);
    log_event(LOG_INFO, "certificates loaded", LOG_TEXT("side", "client"));
    rpc_channel_renew_all(client);
}

static void poll_queue(void *context)
{
    struct rpc_client *client = context;
    int64_t next_tick_ms = clock_monotonic_ms() + TICK_MS;
    int64_t next_renew_ms = clock_monotonic_ms() + RENEW_MS;
    for (;;) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= next_tick_ms) {
            rpc_channel_connect_all(client);
            next_tick_ms = now_ms + TICK_MS;
        }
        if (now_ms >= next_renew_ms) {
            rpc_client_renew(client);
            next_renew_ms = now_ms + RENEW_MS;
        }
        gpr_timespec until = gpr_time_add(
            gpr_now(GPR_CLOCK_MONOTONIC),
            gpr_time_from_millis(next_tick_ms - now_ms, GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(client->queue, until, NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            rpc_request_ended(event.tag);
        }
    }
}

struct status
rpc_client_start(const struct rpc_client_options *options, struct rpc_client **ret_client)
{
    OWNED(rpc_client) struct rpc_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(NO_MEMORY, "client");
    }
    rpc_tls_library_init();
    client->message_max = options->message_max;
    client->arena_max = options->arena_max;
    CHECK(pthread_mutex_init(&client->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&client->ended, NULL) == 0);
    TRY(rpc_tls_new(&options->tls, &client->tls));
    TRY(rpc_tls_poll(client->tls, &client->material));
    CHECK(client->material != NULL);
    client->queue = grpc_completion_queue_create_for_next(NULL);
    TRY(task_start(&client->poller, "rpc-client", poll_queue, client));
    *ret_client = TAKE(client);
    return OK;
}

static void end_calls(struct rpc_client *client)
{
    LOCKED(&client->mutex);
    CHECK(client->channels == NULL);
    client->is_stopping = true;
    rpc_request_cancel_all(client, NULL);
    while (client->calls_count > 0) {
        pthread_cond_wait(&client->ended, &client->mutex);
    }
}

void rpc_client_free(struct rpc_client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->poller.is_running) {
        end_calls(client);
    }
    if (client->queue != NULL) {
        grpc_completion_queue_shutdown(client->queue);
        task_join(&client->poller);
        grpc_completion_queue_destroy(client->queue);
    }
    grpc_shutdown();
    rpc_tls_material_free(client->material);
    rpc_tls_free(client->tls);
    pthread_cond_destroy(&client->ended);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

void rpc_client_cert_sha256(const struct rpc_client *client, uint8_t ret[32])
{
    /* The mutex is all that changes here. */
    struct rpc_client *locked = (struct rpc_client *)(uintptr_t)client;
    LOCKED(&locked->mutex);
    memcpy(ret, client->material->cert_sha256, sizeof(client->material->cert_sha256));
}
