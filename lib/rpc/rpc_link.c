#include "lib/rpc/rpc_link.h"

#include "lib/base/check.h"
#include "lib/rpc/rpc_metadata.h"

#include <limits.h>
#include <stdlib.h>

enum {
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 1000,
    CONNECT_MS = 3000, /* gRPC's "minimum backoff" is also what one attempt may take at least. */
    KEEPALIVE_MS = 10 * 1000,
    KEEPALIVE_TIMEOUT_MS = 5 * 1000,
    RESOLVE_INTERVAL_MIN_MS = 1000,
};

/* gRPC copies keys and texts, though their types are not const. */
static grpc_arg integer_argument(const char *key, size_t value)
{
    CHECK(value <= INT_MAX);
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER,
        .key = (char *)(uintptr_t)key,
        .value.integer = (int)value,
    };
}

static grpc_arg text_argument(const char *key, const char *value)
{
    return (grpc_arg){
        .type = GRPC_ARG_STRING,
        .key = (char *)(uintptr_t)key,
        .value.string = (char *)(uintptr_t)value,
    };
}

static grpc_channel *
make_channel(const struct rpc_link_target *target, grpc_channel_credentials *credentials)
{
    grpc_arg arguments[] = {
        text_argument(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, target->tls_name),
        integer_argument(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, target->message_max),
        integer_argument(GRPC_ARG_MAX_METADATA_SIZE, RPC_METADATA_MAX),
        integer_argument(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        integer_argument(GRPC_ARG_ENABLE_RETRIES, 0),
        integer_argument(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        integer_argument(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        integer_argument(GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0),
        integer_argument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        integer_argument(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
        integer_argument(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS),
        integer_argument(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS),
        integer_argument(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RESOLVE_INTERVAL_MIN_MS),
        integer_argument(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        integer_argument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        integer_argument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer_argument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    grpc_channel_args all = {
        .num_args = sizeof(arguments) / sizeof(arguments[0]), .args = arguments};
    return grpc_channel_create(target->target, credentials, &all);
}

struct status rpc_link_new(
    const struct rpc_link_target *target, const struct rpc_tls_material *material,
    struct rpc_link **ret_link)
{
    struct rpc_link *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        return FAIL(NO_MEMORY, "channel");
    }
    grpc_channel_credentials *credentials = NULL;
    struct status status =
        rpc_tls_channel_credentials(material, target->cluster, target->role, &credentials);
    if (!status_ok(status)) {
        free(link);
        return status;
    }
    atomic_init(&link->references, 1);
    link->channel = make_channel(target, credentials);
    grpc_channel_credentials_release(credentials);
    CHECK(link->channel != NULL);
    grpc_channel_check_connectivity_state(link->channel, 1);
    *ret_link = link;
    return OK;
}

struct rpc_link *rpc_link_ref(struct rpc_link *link)
{
    atomic_fetch_add(&link->references, 1);
    return link;
}

void rpc_link_unref(struct rpc_link *link)
{
    if (atomic_fetch_sub(&link->references, 1) == 1) {
        grpc_channel_destroy(link->channel);
        free(link);
    }
}
