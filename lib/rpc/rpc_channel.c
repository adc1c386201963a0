#include "lib/base/check.h"
#include "lib/rpc/rpc_client_state.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>
#include <string.h>

static struct status make_link(const struct rpc_channel *channel, struct rpc_link **ret_link)
{
    const struct rpc_client *client = channel->client;
    struct rpc_link_target target = {
        .target = channel->target,
        .tls_name = channel->tls_name,
        .role = channel->role,
        .cluster = rpc_tls_cluster(client->tls),
        .message_max = client->message_max,
    };
    return rpc_link_new(&target, client->material, ret_link);
}

static struct status join(struct rpc_channel *channel)
{
    struct rpc_client *client = channel->client;
    LOCKED(&client->mutex);
    TRY(make_link(channel, &channel->link));
    channel->next = client->channels;
    client->channels = channel;
    return OK;
}

struct status rpc_channel_open(
    struct rpc_client *client, const char *target, const char *tls_name, enum rpc_role role,
    struct rpc_channel **ret_channel)
{
    OWNED(rpc_channel) struct rpc_channel *channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        return FAIL(NO_MEMORY, "channel");
    }
    channel->client = client;
    channel->role = role;
    channel->target = strdup(target);
    channel->tls_name = strdup(tls_name);
    if (channel->target == NULL || channel->tls_name == NULL) {
        return FAIL(NO_MEMORY, "channel");
    }
    TRY(join(channel));
    *ret_channel = TAKE(channel);
    return OK;
}

static void leave(struct rpc_channel *channel)
{
    struct rpc_client *client = channel->client;
    LOCKED(&client->mutex);
    struct rpc_channel **place = &client->channels;
    while (*place != channel) {
        place = &(*place)->next;
    }
    *place = channel->next;
    rpc_request_cancel_all(client, channel);
}

void rpc_channel_free(struct rpc_channel *channel)
{
    if (channel == NULL) {
        return;
    }
    if (channel->link != NULL) {
        leave(channel);
        rpc_link_unref(channel->link);
    }
    free(channel->target);
    free(channel->tls_name);
    free(channel);
}

void rpc_channel_cancel(struct rpc_channel *channel)
{
    LOCKED(&channel->client->mutex);
    rpc_request_cancel_all(channel->client, channel);
}

struct rpc_link *rpc_channel_link(struct rpc_channel *channel)
{
    LOCKED(&channel->client->mutex);
    return channel->client->is_stopping ? NULL : rpc_link_ref(channel->link);
}

bool rpc_channel_is_up(const struct rpc_channel *channel)
{
    pthread_mutex_lock(&channel->client->mutex);
    struct rpc_link *link = rpc_link_ref(channel->link);
    pthread_mutex_unlock(&channel->client->mutex);
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(link->channel, 0);
    rpc_link_unref(link);
    return state != GRPC_CHANNEL_TRANSIENT_FAILURE && state != GRPC_CHANNEL_SHUTDOWN;
}

/* The link of the channel at index, referenced. The list may change between two questions: one
 * asked twice or left out for a second does no harm. */
static struct rpc_link *link_at(struct rpc_client *client, size_t index)
{
    LOCKED(&client->mutex);
    struct rpc_channel *channel = client->channels;
    for (; channel != NULL && index > 0; index--) {
        channel = channel->next;
    }
    return channel == NULL ? NULL : rpc_link_ref(channel->link);
}

void rpc_channel_connect_all(struct rpc_client *client)
{
    for (size_t i = 0;; i++) {
        struct rpc_link *link = link_at(client, i);
        if (link == NULL) {
            return;
        }
        grpc_channel_check_connectivity_state(link->channel, 1);
        rpc_link_unref(link);
    }
}

void rpc_channel_renew_all(struct rpc_client *client)
{
    LOCKED(&client->mutex);
    for (struct rpc_channel *channel = client->channels; channel != NULL; channel = channel->next) {
        struct rpc_link *link = NULL;
        struct status status = make_link(channel, &link);
        if (!status_ok(status)) {
            log_event(LOG_ERROR, "channel keeps its old certificate", LOG_STATUS(status));
            continue;
        }
        rpc_link_unref(channel->link);
        channel->link = link;
    }
}
