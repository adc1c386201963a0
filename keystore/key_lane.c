#include "keystore/key_lane.h"

#include "keystore/key_reply.h"
#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/s3/sigv4.h"

#include <stdlib.h>

enum { CALL_BYTES_MAX = 1024 * 1024, ITEM_OVERHEAD = 512 };

struct key_lane {
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* The last item was settled, the last call ended. */
    struct rpc_channel *channel;
    struct lane *lane; /* Owned. */
    size_t items_max;
    size_t unsettled; /* Items. */
    size_t flights;   /* Calls whose lane_done has not returned. */
};

/* An item outlives its waiter when the deadline passes first: two references. */
struct queued {
    struct lane_item link; /* First: the lane's handle. */
    struct key_lane *lane;
    Triad__Key__AuthorizeItem message; /* Points into data. */
    int64_t deadline_ms;
    pthread_cond_t settled; /* Its own: only its waiter wakes. */
    bool is_settled;
    bool is_abandoned;
    struct status status;
    struct key_authorize_result *result; /* Owned. */
    uint8_t data[];
};

/* One call in flight. */
struct flight {
    struct key_lane *lane;
    struct queued *items;
    size_t count;
};

static void queued_free(struct queued *item)
{
    key_authorize_result_free(item->result);
    pthread_cond_destroy(&item->settled);
    free(item);
}

/* result, if any, is taken. */
static void settle(
    struct key_lane *lane, struct queued *item, struct status status,
    struct key_authorize_result *result)
{
    pthread_mutex_lock(&lane->mutex);
    item->status = status;
    item->result = result;
    item->is_settled = true;
    bool is_abandoned = item->is_abandoned;
    lane->unsettled--;
    pthread_cond_signal(&item->settled);
    pthread_cond_broadcast(&lane->idle);
    pthread_mutex_unlock(&lane->mutex);
    if (is_abandoned) {
        queued_free(item);
    }
}

static struct queued *next_of(const struct queued *item)
{
    return (struct queued *)(void *)item->link.next;
}

static void settle_all(struct flight *flight, struct status status)
{
    struct queued *next = NULL;

    for (struct queued *item = flight->items; item != NULL; item = next) {
        next = next_of(item);
        settle(flight->lane, item, status, NULL);
    }
}

static void settle_reply(struct flight *flight, const Triad__Key__AuthorizeReply *reply)
{
    struct queued *next = NULL;
    size_t i = 0;

    for (struct queued *item = flight->items; item != NULL; item = next, i++) {
        next = next_of(item);
        struct key_authorize_result *result = NULL;
        struct status status = key_reply_result(reply->results[i], &result);
        settle(flight->lane, item, status, result);
    }
}

/* The last touch of the lane: then it may be freed. */
static void flight_ended(struct key_lane *lane)
{
    lane_done(lane->lane);
    LOCKED(&lane->mutex);
    lane->flights--;
    pthread_cond_broadcast(&lane->idle);
}

static void flight_done(void *arg, struct status status, struct rpc_reply *owned)
{
    OWNED(rpc_reply) struct rpc_reply *reply = owned;
    struct flight *flight = arg;
    const Triad__Key__AuthorizeReply *message = reply == NULL ? NULL : (const void *)reply->message;

    if (status_ok(status) && (message == NULL || message->n_results != flight->count)) {
        status = FAIL(INTERNAL, "key store answered another number of items");
    }
    if (!status_ok(status)) {
        settle_all(flight, status);
    }
    if (status_ok(status)) {
        settle_reply(flight, message);
    }
    struct key_lane *lane = flight->lane;
    free(flight);
    flight_ended(lane);
}

static void start_flight(struct flight *flight, Triad__Key__AuthorizeItem **items)
{
    int64_t deadline_ms = 0;
    size_t i = 0;

    for (struct queued *item = flight->items; item != NULL; item = next_of(item)) {
        items[i++] = &item->message;
        deadline_ms = item->deadline_ms > deadline_ms ? item->deadline_ms : deadline_ms;
    }
    Triad__Key__AuthorizeRequest message = TRIAD__KEY__AUTHORIZE_REQUEST__INIT;
    message.items = items;
    message.n_items = flight->count;
    struct rpc_request request = {
        .service = &triad__key__identity__descriptor,
        .method = "Authorize",
        .message = &message.base,
        .deadline_ms = deadline_ms,
    };
    rpc_start(flight->lane->channel, &request, flight_done, flight);
}

static void send_items(void *context, struct lane *unused, struct lane_item *items, size_t count)
{
    Triad__Key__AuthorizeItem *messages[KEY_AUTHORIZE_ITEMS_MAX];
    struct key_lane *own = context;
    struct flight local = {.lane = own, .items = (struct queued *)(void *)items, .count = count};

    CHECK(count <= KEY_AUTHORIZE_ITEMS_MAX);
    (void)unused;
    pthread_mutex_lock(&own->mutex);
    own->flights++;
    pthread_mutex_unlock(&own->mutex);
    struct flight *flight = malloc(sizeof(*flight));
    if (flight == NULL) {
        settle_all(&local, FAIL(NO_MEMORY, "authorize call"));
        flight_ended(own);
        return;
    }
    *flight = local;
    start_flight(flight, messages);
}

struct status key_lane_new(
    struct rpc_channel *channel, unsigned calls_max, size_t items_max, struct key_lane **ret_lane)
{
    struct key_lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        return FAIL(NO_MEMORY, "authorize lane");
    }
    CHECK(items_max <= KEY_AUTHORIZE_ITEMS_MAX);
    pthread_mutex_init(&lane->mutex, NULL);
    task_condition_init(&lane->idle);
    lane->channel = channel;
    struct lane_options options = {
        .items_max = items_max,
        .bytes_max = CALL_BYTES_MAX,
        .calls_max = calls_max,
        .send = send_items,
        .context = lane,
    };
    struct status status = lane_new(&options, &lane->lane);
    if (!status_ok(status)) {
        key_lane_free(lane);
        return status;
    }
    *ret_lane = lane;
    return OK;
}

void key_lane_free(struct key_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    pthread_mutex_lock(&lane->mutex);
    while (lane->unsettled > 0 || lane->flights > 0) {
        pthread_cond_wait(&lane->idle, &lane->mutex);
    }
    pthread_mutex_unlock(&lane->mutex);
    lane_free(lane->lane);
    pthread_cond_destroy(&lane->idle);
    pthread_mutex_destroy(&lane->mutex);
    free(lane);
}

/* Copy bytes to *to, moving it on. */
static ProtobufCBinaryData put_bytes(uint8_t **to, struct bytes bytes)
{
    ProtobufCBinaryData field = {.len = bytes.size, .data = *to};

    if (bytes.size > 0) {
        memcpy(*to, bytes.data, bytes.size);
    }
    *to += bytes.size;
    return field;
}

static char *put_text(uint8_t **to, struct bytes bytes)
{
    char *text = (char *)put_bytes(to, bytes).data;

    *(*to)++ = '\0';
    return text;
}

static void fill_message(struct queued *queued, const struct key_authorize_item *item)
{
    uint8_t *to = queued->data;
    Triad__Key__AuthorizeItem *message = &queued->message;

    triad__key__authorize_item__init(message);
    message->canonical_request = put_bytes(&to, item->canonical_request);
    message->date = put_text(&to, item->date);
    message->scope = put_text(&to, item->scope);
    message->access_key = put_text(&to, item->access_key);
    message->signature = put_bytes(&to, BYTES_ARRAY(item->signature));
    message->presigned_expires_s = item->presigned_expires_s;
    if (item->has_bucket) {
        message->bucket = put_bytes(&to, id16_view(&item->bucket));
    }
    message->shard = item->shard;
    message->operation = (Triad__Key__Operation)item->operation;
    message->version_record = put_bytes(&to, item->version_record);
    message->vmac = put_bytes(&to, item->vmac);
    message->key_ref = put_bytes(&to, item->key_ref);
}

static bool has_nul(struct bytes text)
{
    return text.size > 0 && memchr(text.data, 0, text.size) != NULL;
}

static struct status make_queued(
    struct key_lane *lane, const struct key_authorize_item *item, int64_t deadline_ms,
    struct queued **ret_queued)
{
    if (item->canonical_request.size > SIGV4_CANONICAL_MAX || item->date.size > 64 ||
        item->scope.size > 256 || item->access_key.size > SIGV4_ACCESS_KEY_MAX ||
        item->version_record.size > 1024 || item->vmac.size > 64 || item->key_ref.size > 256) {
        return FAIL(TOO_LARGE, "authorize item");
    }
    if (has_nul(item->date) || has_nul(item->scope) || has_nul(item->access_key)) {
        return FAIL(INVALID, "NUL in an authorize item");
    }
    size_t size = item->canonical_request.size + item->date.size + item->scope.size +
                  item->access_key.size + item->version_record.size + item->vmac.size +
                  item->key_ref.size + 3 + 32 + ID16_SIZE;
    struct queued *queued = calloc(1, sizeof(*queued) + size);
    if (queued == NULL) {
        return FAIL(NO_MEMORY, "authorize item");
    }
    queued->link.size = size + ITEM_OVERHEAD;
    queued->lane = lane;
    queued->deadline_ms = deadline_ms;
    task_condition_init(&queued->settled);
    fill_message(queued, item);
    *ret_queued = queued;
    return OK;
}

/* Whoever sees both flags frees the item: the waiter here, or settle(). */
static bool wait_settled(struct key_lane *lane, struct queued *queued)
{
    LOCKED(&lane->mutex);
    while (!queued->is_settled) {
        if (!task_condition_wait(&queued->settled, &lane->mutex, queued->deadline_ms) &&
            !queued->is_settled) {
            queued->is_abandoned = true;
            return false;
        }
    }
    return true;
}

struct status key_lane_authorize(
    struct key_lane *lane, const struct key_authorize_item *item, int64_t deadline_ms,
    struct key_authorize_result **ret_result)
{
    struct queued *queued = NULL;

    TRY(make_queued(lane, item, deadline_ms, &queued));
    pthread_mutex_lock(&lane->mutex);
    lane->unsettled++;
    pthread_mutex_unlock(&lane->mutex);
    lane_submit(lane->lane, &queued->link);
    if (!wait_settled(lane, queued)) {
        return FAIL(TIMEOUT, "authorize");
    }
    struct status status = queued->status;
    if (status_ok(status)) {
        *ret_result = TAKE(queued->result);
    }
    queued_free(queued);
    return status;
}
