#include "contentdb/content_lane.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"

#include <stdlib.h>

enum { ITEMS_MAX = 64, CALL_BYTES_MAX = 4 * 1024 * 1024 };

struct content_lane {
    struct content_lane_options options;
    struct lane *lane; /* Owned. */
    pthread_mutex_t mutex;
};

/* Stands on its submitter's stack until it is settled. */
struct item {
    struct lane_item link; /* First: the lane knows only this. */
    const ProtobufCMessage *message;
    int64_t deadline_ms;
    pthread_cond_t settled;
    bool is_settled; /* Guarded by the lane's mutex, as what follows. */
    bool was_sent;
    struct status status;
    struct content_reply *reply; /* A reference of its own. */
    const ProtobufCMessage *result;
};

struct call {
    struct content_lane *lane;
    struct item *items;
    size_t count;
    Triad__Content__Position sent;
};

static struct item *item_of(struct lane_item *link)
{
    return (struct item *)(void *)link;
}

/* The item is its submitter's again. */
static void settle(
    struct content_lane *lane, struct item *item, struct status status, struct content_reply *reply,
    const ProtobufCMessage *result)
{
    LOCKED(&lane->mutex);
    item->status = status;
    item->reply = reply;
    item->result = result;
    item->is_settled = true;
    pthread_cond_signal(&item->settled);
}

static void settle_all(const struct call *call, struct status status)
{
    for (struct item *item = call->items; item != NULL;) {
        struct item *next = item_of(item->link.next);
        settle(call->lane, item, status, NULL, NULL);
        item = next;
    }
}

/* Results of either kind, as an array of messages. */
static size_t
results_of(enum content_lane_kind kind, const ProtobufCMessage *reply, void *const **ret_results)
{
    if (kind == CONTENT_LANE_LOOKUP) {
        const Triad__Content__LookupReply *lookup = (const void *)reply;
        *ret_results = (void *const *)lookup->results;
        return lookup->n_results;
    }
    const Triad__Content__CommitReply *commit = (const void *)reply;
    *ret_results = (void *const *)commit->results;
    return commit->n_results;
}

static struct status settle_reply(const struct call *call, struct rpc_reply **take_reply)
{
    struct content_lane *lane = call->lane;
    TRY(content_seen_check(
        lane->options.seen, &call->sent, content_seen_of((*take_reply)->message)));
    OWNED(content_reply) struct content_reply *reply = NULL;
    void *const *results = NULL;
    if (results_of(lane->options.kind, (*take_reply)->message, &results) != call->count) {
        return FAIL(INTERNAL, "the content DB answered another number of items");
    }
    TRY(content_reply_new(take_reply, &reply));
    size_t i = 0;
    for (struct item *item = call->items; item != NULL; i++) {
        struct item *next = item_of(item->link.next);
        settle(lane, item, OK, content_reply_ref(reply), results[i]);
        item = next;
    }
    return OK;
}

static void done(void *arg, struct status status, struct rpc_reply *owned)
{
    OWNED(rpc_reply) struct rpc_reply *reply = owned;
    struct call *call = arg;
    if (status_ok(status)) {
        status = settle_reply(call, &reply);
    }
    if (!status_ok(status)) {
        settle_all(call, status);
    }
    struct lane *lane = call->lane->lane;
    free(call);
    lane_done(lane);
}

static void start(struct call *call)
{
    void *items[ITEMS_MAX];
    size_t count = 0;
    int64_t deadline_ms = 0;
    for (struct item *item = call->items; item != NULL; item = item_of(item->link.next)) {
        const void *message = item->message;
        memcpy(&items[count++], &message, sizeof(message)); /* Packed, never changed. */
        deadline_ms = item->deadline_ms > deadline_ms ? item->deadline_ms : deadline_ms;
    }
    Triad__Content__LookupRequest lookup = TRIAD__CONTENT__LOOKUP_REQUEST__INIT;
    Triad__Content__CommitRequest commit = TRIAD__CONTENT__COMMIT_REQUEST__INIT;
    bool is_lookup = call->lane->options.kind == CONTENT_LANE_LOOKUP;
    lookup.seen = commit.seen = &call->sent;
    lookup.n_items = commit.n_items = count;
    lookup.items = (Triad__Content__LookupItem **)items;
    commit.items = (Triad__Content__CommitItem **)items;
    const struct rpc_request request = {
        .service = &triad__content__content__descriptor,
        .method = is_lookup ? "Lookup" : "Commit",
        .message = is_lookup ? &lookup.base : &commit.base,
        .deadline_ms = deadline_ms,
    };
    rpc_start(call->lane->options.channel, &request, done, call);
}

/* Items whose time is over never go out. */
static void drop_late(struct call *call)
{
    int64_t now_ms = clock_monotonic_ms();
    struct item **at = &call->items;
    for (struct item *item = call->items; item != NULL;) {
        struct item *next = item_of(item->link.next);
        if (item->deadline_ms <= now_ms) {
            *at = next;
            call->count--;
            settle(call->lane, item, FAIL(TIMEOUT, "waiting to be sent"), NULL, NULL);
        } else {
            item->was_sent = true;
            *at = item;
            at = (struct item **)(void *)&item->link.next;
        }
        item = next;
    }
}

static void send_items(void *context, struct lane *lane, struct lane_item *items, size_t count)
{
    struct content_lane *own = context;
    struct call local = {.lane = own, .items = item_of(items), .count = count};
    CHECK(count <= ITEMS_MAX);
    drop_late(&local);
    if (local.count == 0) {
        lane_done(lane);
        return;
    }
    struct call *call = malloc(sizeof(*call));
    if (call == NULL) {
        settle_all(&local, FAIL(UNAVAILABLE, "memory for a call"));
        lane_done(lane);
        return;
    }
    *call = local;
    content_seen_get(own->options.seen, &call->sent);
    start(call);
}

struct status
content_lane_new(const struct content_lane_options *options, struct content_lane **ret_lane)
{
    OWNED(content_lane) struct content_lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        return FAIL(NO_MEMORY, "lane");
    }
    lane->options = *options;
    pthread_mutex_init(&lane->mutex, NULL);
    const struct lane_options lane_options = {
        .items_max = ITEMS_MAX,
        .bytes_max = CALL_BYTES_MAX,
        .calls_max = options->calls_max,
        .send = send_items,
        .context = lane,
    };
    TRY(lane_new(&lane_options, &lane->lane));
    *ret_lane = TAKE(lane);
    return OK;
}

void content_lane_free(struct content_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    lane_free(lane->lane);
    pthread_mutex_destroy(&lane->mutex);
    free(lane);
}

static void wait_settled(struct content_lane *lane, struct item *item)
{
    LOCKED(&lane->mutex);
    while (!item->is_settled) {
        pthread_cond_wait(&item->settled, &lane->mutex);
    }
}

struct status content_lane_call(
    struct content_lane *lane, const ProtobufCMessage *message, int64_t deadline_ms,
    struct content_reply **ret_reply, const ProtobufCMessage **ret_result, bool *ret_was_sent)
{
    struct item item = {
        .link = {.size = protobuf_c_message_get_packed_size(message)},
        .message = message,
        .deadline_ms = deadline_ms,
    };
    pthread_cond_init(&item.settled, NULL);
    lane_submit(lane->lane, &item.link);
    wait_settled(lane, &item);
    pthread_cond_destroy(&item.settled);
    *ret_was_sent = item.was_sent;
    TRY(item.status);
    *ret_reply = item.reply;
    *ret_result = item.result;
    return OK;
}
