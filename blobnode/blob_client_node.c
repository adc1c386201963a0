#include "blobnode/blob_client_state.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"
#include "proto/blob.pb-c.h"

#include <stdlib.h>

struct status blob_client_node_new(
    struct blob_client *client, const char *address, const char *tls_name,
    struct blob_client_node **ret_node)
{
    OWNED(blob_client_node) struct blob_client_node *node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return FAIL(NO_MEMORY, "node");
    }
    pthread_mutex_init(&node->mutex, NULL);
    node->client = client;
    node->address = strdup(address);
    node->tls_name = strdup(tls_name);
    if (node->address == NULL || node->tls_name == NULL) {
        return FAIL(NO_MEMORY, "address of node");
    }
    struct lane_options options = {
        .items_max = 1,
        .bytes_max = BLOB_CALL_BYTES_MAX,
        .calls_max = BLOB_BULK_CALLS,
        .send = blob_client_data_send,
        .context = NULL, /* The item knows its account. */
    };
    TRY(lane_new(&options, &node->bulk_lane));
    *ret_node = TAKE(node);
    return OK;
}

void blob_client_node_free(struct blob_client_node *node)
{
    if (node == NULL) {
        return;
    }
    rpc_channel_free(node->bulk);
    rpc_channel_free(node->small);
    lane_free(node->bulk_lane);
    free(node->address);
    free(node->tls_name);
    pthread_mutex_destroy(&node->mutex);
    free(node);
}

struct status blob_client_node_channel(
    struct blob_client_node *node, bool is_bulk, struct rpc_channel **ret_channel)
{
    LOCKED(&node->mutex);
    struct rpc_channel **slot = is_bulk ? &node->bulk : &node->small;
    if (*slot == NULL) {
        TRY(rpc_channel_open(
            node->client->rpc_client, node->address, node->tls_name, RPC_ROLE_BLOBNODE, slot));
    }
    *ret_channel = *slot;
    return OK;
}

/* How a call to the node ended: it is up, or down, or that says nothing; the mutex is held. */
static void note(struct blob_client_node *node, struct status status)
{
    if (status.code == STATUS_NO_MEMORY || status.code == STATUS_CANCELLED) {
        return; /* Our own doing. */
    }
    int64_t now_ms = clock_monotonic_ms();
    node->is_down = status.code == STATUS_UNAVAILABLE || status.code == STATUS_TIMEOUT ||
                    status.code == STATUS_UNKNOWN;
    if (node->is_down) {
        node->probe_at_ms = now_ms + BLOB_DOWN_MS;
        return;
    }
    node->is_cut = false;
    node->silent_since_ms = now_ms;
    atomic_store(&node->client->answered_ms, now_ms);
}

void blob_client_node_begin(struct blob_client_node *node)
{
    LOCKED(&node->mutex);
    if (node->in_flight++ == 0) {
        node->silent_since_ms = clock_monotonic_ms();
    }
}

struct status blob_client_node_end(struct blob_client_node *node, struct status status)
{
    LOCKED(&node->mutex);
    CHECK(node->in_flight > 0);
    node->in_flight--;
    note(node, status);
    bool was_cut = status.code == STATUS_CANCELLED && node->is_cut;
    return was_cut ? FAIL(TIMEOUT, "the node does not answer") : status;
}

bool blob_client_node_is_cut(struct blob_client_node *node)
{
    LOCKED(&node->mutex);
    return node->is_cut;
}

static void probe_ended(void *arg, struct status status, struct rpc_reply *reply)
{
    struct blob_client_node *node = arg;
    rpc_reply_free(reply);
    {
        LOCKED(&node->mutex);
        note(node, status);
        node->is_probing = false;
    }
    blob_client_state_leave(node->client);
}

/* A read of nothing: it passes the same checks as any other. */
static struct status probe(struct blob_client_node *node, struct blob_client_account *account)
{
    const struct blob_client_options *options = &node->client->options;
    uint8_t token[TOKEN_SIZE];
    TRY(options->token(options->context, &account->account, TOKEN_READ, token));
    struct rpc_channel *channel = NULL;
    TRY(blob_client_node_channel(node, false, &channel));
    Triad__Blob__GetRequest message = TRIAD__BLOB__GET_REQUEST__INIT;
    message.account = blob_client_binary(id16_view(&account->account));
    struct rpc_request request = {
        .service = &triad__blob__blob__descriptor,
        .method = "Get",
        .message = &message.base,
        .capability = BYTES_ARRAY(token),
        .deadline_ms = clock_monotonic_ms() + BLOB_CLIENT_PROBE_MS,
        .wait_for_ready = true,
    };
    rpc_start(channel, &request, probe_ended, node);
    return OK;
}

/*
 * What a silent node holds of our memory is wanted back, if the others show that the fault is its
 * own. Where all are silent, on one slow disk perhaps, waiting is better; the mutex is held.
 */
static void cut_off(struct blob_client_node *node, int64_t silent_ms, int64_t now_ms)
{
    if (silent_ms < BLOB_CUT_MS || node->is_cut ||
        now_ms - atomic_load(&node->client->answered_ms) > BLOB_SILENT_MS) {
        return;
    }
    node->is_cut = true;
    node->is_down = true;
    node->probe_at_ms = now_ms;
    log_event(
        LOG_WARN, "storage node does not answer", LOG_TEXT("address", node->address),
        LOG_INT("ms", silent_ms), LOG_INT("calls", node->in_flight));
    struct rpc_channel *channels[] = {node->bulk, node->small};
    for (size_t i = 0; i < 2; i++) {
        if (channels[i] != NULL) {
            rpc_channel_cancel(channels[i]);
        }
    }
}

/* True if the caller has to probe. */
static bool claim_probe(struct blob_client_node *node, bool *ret_is_up)
{
    LOCKED(&node->mutex);
    int64_t now_ms = clock_monotonic_ms();
    int64_t silent_ms = node->in_flight > 0 ? now_ms - node->silent_since_ms : 0;
    cut_off(node, silent_ms, now_ms);
    if (!node->is_down && node->small != NULL && !rpc_channel_is_up(node->small)) {
        node->is_down = true;
        node->probe_at_ms = now_ms;
    }
    *ret_is_up = !node->is_down && silent_ms < BLOB_SILENT_MS;
    if (!node->is_down || node->is_probing || now_ms < node->probe_at_ms) {
        return false;
    }
    node->is_probing = true;
    return true;
}

bool blob_client_node_is_up(struct blob_client_node *node, struct blob_client_account *account)
{
    bool is_up;
    if (!claim_probe(node, &is_up)) {
        return is_up;
    }
    blob_client_state_enter(node->client);
    struct status status = probe(node, account);
    if (!status_ok(status)) {
        /* Nothing to probe with: the next call shall find out. */
        probe_ended(node, OK, NULL);
        return true;
    }
    return false;
}
