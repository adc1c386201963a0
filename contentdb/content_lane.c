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
    pthread_cond_t idle; /* The last item was settled. */
    size_t unsettled;    /* Items. */
};

enum item_state {
    ITEM_QUEUED,
    ITEM_PACKING, /* Its message is being read: the submitter has to stay. */
    ITEM_SENT,
    ITEM_SETTLED,
};

/* Outlives its submitter where the deadline passes first: settle() frees it then. */
struct item {
    struct lane_item link; /* First: the lane knows only this. */
    const ProtobufCMessage *message;
    int64_t deadline_ms;
    pthread_cond_t changed;
    enum item_state state; /* Guarded by the lane's mutex, as what follows. */
    bool is_abandoned;
    bool was_sent;
    struct status status;
    struct content_reply *reply; /* A reference of its own. */
    const ProtobufCMessage *result;
};

struct call {
    unsigned references; /* Of who starts it and of its done function; under the lane's mutex. */
    bool is_over;        /* So too: its items may be gone. */
    struct content_lane *lane;
    struct item *items;
    size_t count;
    Triad__Content__Position sent;
};

static struct item *item_of(struct lane_item *link)
{
    return (struct item *)(void *)link;
}

static void item_free(struct item *item)
{
    content_reply_free(item->reply);
    pthread_cond_destroy(&item->changed);
    free(item);
}

/* The item is its submitter's again, or nobody's. */
static void settle(
    struct content_lane *lane, struct item *item, struct status status, struct content_reply *reply,
    const ProtobufCMessage *result)
{
    LOCKED(&lane->mutex);
    item->status = status;
    item->reply = reply;
    item->result = result;
    item->state = ITEM_SETTLED;
    pthread_cond_signal(&item->changed);
    if (item->is_abandoned) {
        item_free(item);
    }
    lane->unsettled--;
    if (lane->unsettled == 0) {
        pthread_cond_broadcast(&lane->idle);
    }
}

/* False for an item whose time is over: it never goes out, and its message may be gone. */
static bool begin_packing(struct content_lane *lane, struct item *item, int64_t now_ms)
{
    LOCKED(&lane->mutex);
    if (item->is_abandoned || item->deadline_ms <= now_ms) {
        return false;
    }
    item->state = ITEM_PACKING;
    item->was_sent = true;
    return true;
}

static void call_unref(struct call *call)
{
    pthread_mutex_lock(&call->lane->mutex);
    bool is_last = --call->references == 0;
    pthread_mutex_unlock(&call->lane->mutex);
    if (is_last) {
        free(call);
    }
}

/* The messages were read; whoever waits for an item may leave it. */
static void end_packing(struct call *call)
{
    LOCKED(&call->lane->mutex);
    if (call->is_over) {
        return;
    }
    for (struct item *item = call->items; item != NULL; item = item_of(item->link.next)) {
        item->state = ITEM_SENT;
        pthread_cond_signal(&item->changed);
    }
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
    {
        LOCKED(&call->lane->mutex);
        call->is_over = true;
    }
    if (status_ok(status)) {
        status = settle_reply(call, &reply);
    }
    if (!status_ok(status)) {
        settle_all(call, status);
    }
    struct lane *lane = call->lane->lane;
    call_unref(call);
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
    end_packing(call);
    call_unref(call);
}

/* Items whose time is over never go out. */
static void drop_late(struct call *call)
{
    int64_t now_ms = clock_monotonic_ms();
    struct item **at = &call->items;
    for (struct item *item = call->items; item != NULL;) {
        struct item *next = item_of(item->link.next);
        if (!begin_packing(call->lane, item, now_ms)) {
            *at = next;
            call->count--;
            settle(call->lane, item, FAIL(TIMEOUT, "waiting to be sent"), NULL, NULL);
        } else {
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
    call->references = 2;
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
    task_condition_init(&lane->idle);
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
    pthread_mutex_lock(&lane->mutex);
    while (lane->unsettled > 0) { /* Abandoned ones: their calls end at their deadlines. */
        pthread_cond_wait(&lane->idle, &lane->mutex);
    }
    pthread_mutex_unlock(&lane->mutex);
    lane_free(lane->lane);
    pthread_cond_destroy(&lane->idle);
    pthread_mutex_destroy(&lane->mutex);
    free(lane);
}

/* False when the deadline passed first: the item is not ours any more then. */
static bool wait_settled(struct content_lane *lane, struct item *item, bool *ret_was_sent)
{
    LOCKED(&lane->mutex);
    bool is_late = false;
    while (item->state != ITEM_SETTLED && (!is_late || item->state == ITEM_PACKING)) {
        if (is_late) {
            pthread_cond_wait(&item->changed, &lane->mutex);
        } else {
            is_late = !task_condition_wait(&item->changed, &lane->mutex, item->deadline_ms);
        }
    }
    *ret_was_sent = item->was_sent;
    item->is_abandoned = item->state != ITEM_SETTLED;
    return !item->is_abandoned;
}

struct status content_lane_call(
    struct content_lane *lane, const ProtobufCMessage *message, int64_t deadline_ms,
    struct content_reply **ret_reply, const ProtobufCMessage **ret_result, bool *ret_was_sent)
{
    *ret_was_sent = false;
    struct item *item = calloc(1, sizeof(*item));
    if (item == NULL) {
        return FAIL(UNAVAILABLE, "memory for an item");
    }
    item->link.size = protobuf_c_message_get_packed_size(message);
    item->message = message;
    item->deadline_ms = deadline_ms;
    task_condition_init(&item->changed);
    pthread_mutex_lock(&lane->mutex);
    lane->unsettled++;
    pthread_mutex_unlock(&lane->mutex);
    lane_submit(lane->lane, &item->link);
    if (!wait_settled(lane, item, ret_was_sent)) {
        return FAIL(TIMEOUT, "answer of the content DB");
    }
    struct status status = item->status;
    if (status_ok(status)) {
        *ret_reply = TAKE(item->reply);
        *ret_result = item->result;
    }
    item_free(item);
    return status;
}
