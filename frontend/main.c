/*
 * The frontend: S3 over HTTPS. Holds no key at rest; plaintext and object keys only while a
 * request needs them.
 */

#include "frontend/access.h"
#include "frontend/frontend_metrics.h"
#include "frontend/frontend_service.h"
#include "lib/base/clock.h"
#include "lib/daemon/daemon.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

enum { WAIT_STEP_MS = 500, SECRET_HEAP = 1024 * 1024, MESSAGE_MAX = BLOB_MESSAGE_MAX };

_Static_assert((int)MESSAGE_MAX >= (int)CONTENT_MESSAGE_MAX, "both peers' answers must fit");

static const struct config_option OPTIONS[] = {
#define OPTION(...) CONFIG_ROW(struct frontend_settings, __VA_ARGS__)
#include "frontend/frontend.def"
#undef OPTION
};

static void frontend_free(struct frontend *frontend)
{
    if (frontend == NULL) {
        return;
    }
    http_server_free(frontend->server);
    body_digest_pool_free(frontend->digests);
    fragment_client_free(frontend->fragments);
    content_lease_free(frontend->lease);
    key_client_free(frontend->keys);
    content_client_free(frontend->content);
    rpc_client_free(frontend->rpc_client); /* gRPC lets go of the last slices. */
    chunk_pool_free(frontend->pool);
    erasure_table_free(frontend->erasures);
    access_cache_free(frontend->access);
    free(frontend);
}

DEFINE_OWNED(frontend)

static struct status connect_peers(struct frontend *frontend)
{
    const struct frontend_settings *settings = frontend->settings;
    struct rpc_client_options options = {
        .tls =
            {
                .ca_file = settings->ca_file,
                .cert_file = settings->cert_file,
                .key_file = settings->key_file,
                .cluster = settings->cluster,
            },
        .message_max = MESSAGE_MAX,
        .arena_max = CONTENT_ARENA_MAX,
    };
    TRY(rpc_client_start(&options, &frontend->rpc_client));
    TRY(key_client_new(
        frontend->rpc_client, settings->keystore_address, settings->keystore_tls_name, NULL,
        &frontend->keys));
    TRY(content_client_new(
        frontend->rpc_client, settings->contentdb_address, settings->contentdb_tls_name, NULL,
        &frontend->content));
    TRY(content_lease_start(frontend->content, &frontend->lease));
    struct fragment_client_options fragments = {
        .rpc_client = frontend->rpc_client,
        .content_client = frontend->content,
        .key_client = frontend->keys,
        .perms = TOKEN_READ | TOKEN_WRITE,
    };
    return fragment_client_start(&fragments, &frontend->fragments);
}

/* Sealed blocks and parity of the largest chunk, and as much as a small one's copies need. */
static struct status make_pool(struct frontend *frontend)
{
    const struct frontend_settings *settings = frontend->settings;
    unsigned k = (unsigned)settings->large_data;
    unsigned m = (unsigned)settings->large_parity;
    uint64_t chunk =
        settings->chunk_size < ((uint64_t)k << 20) ? settings->chunk_size : (uint64_t)k << 20;
    struct chunk_shape shape = chunk_shape_choose((uint32_t)chunk, k);
    size_t sealed = chunk_shape_sealed_size(&shape);
    size_t large =
        sealed + (sealed + k - 1) / k * m + (size_t)m * (CHUNK_BLOCK_MAX + CHUNK_TAG_SIZE);
    /* A chunk of 1 MiB in copies, where fewer accounts are up, is read with room for each copy. */
    size_t copies = ((size_t)1 << 20) + ((size_t)1 << 10);
    copies *= 1 + settings->small_parity;
    size_t small = (size_t)(settings->small_threshold + 4096 + CHUNK_TAG_SIZE * 2) *
                   (size_t)(1 + settings->small_parity);
    struct chunk_pool_options options = {
        .small_size = small,
        .small_count = (unsigned)settings->small_buffers,
        .large_size = large > copies ? large : copies,
        .large_count = (unsigned)settings->chunk_buffers,
    };
    options.large_size = options.large_size > small ? options.large_size : small;
    return chunk_pool_new(&options, &frontend->pool);
}

/* Until there is a lease, and the accounts and their keys are known. */
static struct status wait_for_peers(struct frontend *frontend)
{
    for (;;) {
        if (daemon_is_stopping()) {
            return FAIL(CANCELLED, "stopped while waiting for peers");
        }
        daemon_waiting("waiting for a lease of the content DB");
        if (!content_lease_is_open(frontend->lease)) {
            clock_sleep_ms(50);
            continue;
        }
        daemon_waiting("waiting for the storage accounts and the key store");
        int64_t deadline_ms = clock_monotonic_ms() + WAIT_STEP_MS;
        struct status status = fragment_client_wait_ready(frontend->fragments, deadline_ms);
        if (status.code != STATUS_TIMEOUT) {
            return status;
        }
    }
}

static struct status listen_s3(struct frontend *frontend)
{
    const struct frontend_settings *settings = frontend->settings;
    struct http_server_options options = http_server_defaults();
    options.address = settings->listen;
    options.certificate_file = settings->s3_cert_file;
    options.key_file = settings->s3_key_file;
    options.handler = frontend_service_handle;
    options.refuse = s3_error_refuse;
    options.context = frontend;
    options.workers = (unsigned)settings->workers;
    options.connections_max = (unsigned)settings->connections_max;
    options.body_max = ((uint64_t)6) << 30; /* 5 GiB, and framing. */
    options.rate_min = settings->rate_min;
    options.drain_timeout_ms = (int64_t)settings->drain_period;
    return http_server_start(&options, &frontend->server);
}

static struct status start(const void *settings_, void **ret_daemon)
{
    const struct frontend_settings *settings = settings_;
    TRY(log_setup_named("frontend", settings->log_level));
    frontend_metrics_register();
    OWNED(frontend) struct frontend *frontend = calloc(1, sizeof(*frontend));
    if (frontend == NULL) {
        return FAIL(NO_MEMORY, "frontend");
    }
    frontend->settings = settings;
    TRY(erasure_table_new(&frontend->erasures));
    TRY(access_cache_new(&frontend->access));
    TRY(make_pool(frontend));
    TRY(body_digest_pool_start((unsigned)settings->digest_threads, &frontend->digests));
    TRY(connect_peers(frontend));
    TRY(wait_for_peers(frontend));
    TRY(listen_s3(frontend));
    log_event(
        LOG_INFO, "serving S3", LOG_INT("port", http_server_port(frontend->server)),
        LOG_INT("workers", settings->workers), LOG_INT("chunk_buffers", settings->chunk_buffers));

    *ret_daemon = TAKE(frontend);
    return OK;
}

static void stop(void *daemon)
{
    struct frontend *frontend = daemon;
    http_server_stop(frontend->server);
    frontend_free(frontend);
}

static const char *admin_address(const void *settings)
{
    const struct frontend_settings *frontend = settings;
    return frontend->admin_listen;
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "frontend",
        .options = OPTIONS,
        .options_count = sizeof(OPTIONS) / sizeof(OPTIONS[0]),
        .settings_size = sizeof(struct frontend_settings),
        .secret_heap = SECRET_HEAP,
        .admin_address = admin_address,
        .start = start,
        .stop = stop,
    };
    return daemon_main(argc, argv, &spec);
}
