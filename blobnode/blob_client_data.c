#include "blobnode/blob_client_item.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <stdlib.h>

enum { FRAME_MAX = 1024 * 1024 };

/* The lane first: the next call is on its way before the items' owners run. */
static void ended(void *arg, struct status status, struct rpc_reply *reply)
{
    struct blob_client_rpc *call = arg;
    bool is_put = call->items->is_put;
    status = blob_client_node_end(call->node, status);
    lane_done(call->lane);
    if (!status_ok(status)) {
        blob_client_settle_all(call->items, status);
    } else if (is_put) {
        blob_client_settle_puts(call, (const Triad__Blob__PutReply *)reply->message);
    } else {
        blob_client_settle_gets(
            call, (const Triad__Blob__GetReply *)reply->message, &reply->payload);
    }
    rpc_reply_free(reply);
    struct blob_client *client = call->client;
    free(call);
    blob_client_state_leave(client);
}

/* ---------------------------------------------------------------- sending */

struct frame {
    struct arena arena;
    uint8_t token[TOKEN_SIZE];
    struct rpc_slice *slices;
    size_t slices_count;
    const ProtobufCMessage *message;
    int64_t deadline_ms;
};

static struct status make_put(const struct blob_client_rpc *call, struct frame *frame)
{
    struct arena *arena = &frame->arena;
    Triad__Blob__PutRequest *message = arena_alloc(arena, sizeof(*message));
    Triad__Blob__PutItem *items = arena_zalloc(arena, call->count, sizeof(*items));
    Triad__Blob__PutItem **list = arena_zalloc(arena, call->count, sizeof(*list));
    frame->slices = arena_zalloc(arena, RPC_SLICES_MAX, sizeof(*frame->slices));
    if (message == NULL || items == NULL || list == NULL || frame->slices == NULL) {
        return FAIL(NO_MEMORY, "put");
    }
    triad__blob__put_request__init(message);
    message->account = blob_client_binary(id16_view(&call->account->account));
    message->items = list;
    message->n_items = call->count;
    struct blob_client_item *item = call->items;
    for (size_t i = 0; i < call->count; i++, item = blob_client_item_next(item)) {
        triad__blob__put_item__init(&items[i]);
        items[i].id = blob_client_binary(id16_view(&item->id));
        items[i].size = item->size;
        list[i] = &items[i];
        CHECK(item->count <= RPC_SLICES_MAX - frame->slices_count);
        if (item->count > 0) {
            memcpy(
                frame->slices + frame->slices_count, item->slices,
                item->count * sizeof(*item->slices));
        }
        frame->slices_count += item->count;
    }
    frame->message = &message->base;
    return OK;
}

static struct status make_get(const struct blob_client_rpc *call, struct frame *frame)
{
    struct arena *arena = &frame->arena;
    Triad__Blob__GetRequest *message = arena_alloc(arena, sizeof(*message));
    Triad__Blob__GetItem *items = arena_zalloc(arena, call->count, sizeof(*items));
    Triad__Blob__GetItem **list = arena_zalloc(arena, call->count, sizeof(*list));
    if (message == NULL || items == NULL || list == NULL) {
        return FAIL(NO_MEMORY, "get");
    }
    triad__blob__get_request__init(message);
    message->account = blob_client_binary(id16_view(&call->account->account));
    message->items = list;
    message->n_items = call->count;
    const struct blob_client_item *item = call->items;
    for (size_t i = 0; i < call->count; i++, item = blob_client_item_next(item)) {
        triad__blob__get_item__init(&items[i]);
        items[i].id = blob_client_binary(id16_view(&item->id));
        items[i].offset = item->offset;
        items[i].size = item->size;
        list[i] = &items[i];
    }
    frame->message = &message->base;
    return OK;
}

/* Give the slices away with the call: from now on gRPC releases them. */
static void disown_slices(struct blob_client_rpc *call)
{
    for (struct blob_client_item *item = call->items; item != NULL;
         item = blob_client_item_next(item)) {
        item->count = 0;
    }
}

static struct status start(struct blob_client_rpc *call, struct frame *frame)
{
    const struct blob_client_options *options = &call->client->options;
    bool is_put = call->items->is_put;
    if (call->is_bulk && blob_client_node_is_cut(call->node)) {
        return FAIL(UNAVAILABLE, "the node does not answer");
    }
    TRY(options->token(
        options->context, &call->account->account, is_put ? TOKEN_WRITE : TOKEN_READ,
        frame->token));
    TRY(is_put ? make_put(call, frame) : make_get(call, frame));
    struct rpc_channel *channel = NULL;
    TRY(blob_client_node_channel(call->node, call->is_bulk, &channel));
    struct rpc_request request = {
        .service = &triad__blob__blob__descriptor,
        .method = is_put ? "Put" : "Get",
        .message = frame->message,
        .capability = BYTES_ARRAY(frame->token),
        .payload = {.slices = frame->slices, .count = frame->slices_count},
        .deadline_ms = frame->deadline_ms,
    };
    disown_slices(call);
    blob_client_node_begin(call->node);
    rpc_start(channel, &request, ended, call);
    return OK;
}

/* Take those out whose time is over; the latest deadline of the others is the call's. */
static struct blob_client_item *take_late(struct blob_client_rpc *call, int64_t *ret_deadline_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t latest_ms = 0;
    struct lane_item *late = NULL;
    struct lane_item *kept = NULL;
    struct lane_item **kept_end = &kept;
    struct blob_client_item *next = NULL;
    for (struct blob_client_item *item = call->items; item != NULL; item = next) {
        next = blob_client_item_next(item);
        if (item->deadline_ms <= now_ms) {
            item->lane.next = late;
            late = &item->lane;
            call->count--;
            continue;
        }
        latest_ms = item->deadline_ms > latest_ms ? item->deadline_ms : latest_ms;
        item->lane.next = NULL;
        *kept_end = &item->lane;
        kept_end = &item->lane.next;
    }
    call->items = (struct blob_client_item *)kept;
    *ret_deadline_ms = latest_ms;
    return (struct blob_client_item *)late;
}

/* The call never began: done with it, but in the same order as ended(). */
static void give_up(struct blob_client_rpc *call, struct status status)
{
    struct blob_client *client = call->client;
    struct blob_client_item *items = call->items;
    struct lane *lane = call->lane;
    free(call);
    lane_done(lane);
    blob_client_settle_all(items, status);
    blob_client_state_leave(client);
}

void blob_client_data_send(void *context, struct lane *lane, struct lane_item *items, size_t count)
{
    (void)context;
    struct blob_client_item *first = (struct blob_client_item *)items;
    struct blob_client *client = first->account->client;
    blob_client_state_enter(client);
    struct blob_client_rpc *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        lane_done(lane);
        blob_client_settle_all(first, FAIL(NO_MEMORY, "call"));
        blob_client_state_leave(client);
        return;
    }
    *call = (struct blob_client_rpc){
        .client = client,
        .account = first->account,
        .node = atomic_load(&first->account->node),
        .lane = lane,
        .items = first,
        .count = count,
        .is_bulk = first->is_bulk,
    };
    struct frame frame = {.arena = {.limit = FRAME_MAX}};
    blob_client_settle_all(
        take_late(call, &frame.deadline_ms), FAIL(TIMEOUT, "waited too long to be sent"));
    struct status status =
        call->count > 0 ? start(call, &frame) : FAIL(TIMEOUT, "waited too long to be sent");
    if (!status_ok(status)) {
        give_up(call, status);
    }
    arena_done(&frame.arena);
}

/* ---------------------------------------------------------------- submitting */

static void submit(struct blob_client *client, struct blob_client_item *item)
{
    struct blob_client_account *account = item->account;
    struct blob_client_node *node = atomic_load(&account->node);
    struct lane *lane = item->is_put ? account->put_lane : account->get_lane;
    blob_client_state_enter(client); /* The item's. */
    blob_client_state_enter(client); /* This function's: the lane must stay until it returns. */
    lane_submit(item->is_bulk ? node->bulk_lane : lane, &item->lane);
    blob_client_state_leave(client);
}

/* A slice that the caller lends only until we return. */
static bool copy_slice(struct rpc_slice *slice)
{
    uint8_t *copy = malloc(slice->bytes.size > 0 ? slice->bytes.size : 1);
    if (copy == NULL) {
        return false;
    }
    if (slice->bytes.size > 0) {
        memcpy(copy, slice->bytes.data, slice->bytes.size);
    }
    *slice = (struct rpc_slice){
        .bytes = bytes_of(copy, slice->bytes.size), .release = free, .arg = copy};
    return true;
}

static struct status new_put(
    struct blob_client *client, uint32_t number, const struct rpc_slice *slices, size_t count,
    struct blob_client_item **ret_item)
{
    struct blob_client_account *account = NULL;
    TRY(blob_client_state_find(client, number, &account));
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += slices[i].bytes.size;
    }
    if (count > RPC_SLICES_MAX || size > BLOB_SIZE_MAX) {
        return FAIL(TOO_LARGE, "blob");
    }
    struct blob_client_item *item = calloc(1, sizeof(*item) + count * sizeof(*slices));
    if (item == NULL) {
        return FAIL(NO_MEMORY, "put");
    }
    item->account = account;
    item->is_put = true;
    item->is_bulk = size > BLOB_SMALL_MAX || count > BLOB_SMALL_SLICES;
    item->size = (uint32_t)size;
    item->lane.size = (size_t)size;
    for (; item->count < count; item->count++) {
        item->slices[item->count] = slices[item->count];
        if (slices[item->count].release == NULL && !copy_slice(&item->slices[item->count])) {
            for (size_t i = 0; i < item->count; i++) {
                if (slices[i].release == NULL) {
                    free(item->slices[i].arg);
                }
            }
            free(item);
            return FAIL(NO_MEMORY, "bytes of a put");
        }
    }
    *ret_item = item;
    return OK;
}

void blob_client_put(
    struct blob_client *client, uint32_t number, const struct id16 *id,
    const struct rpc_slice *slices, size_t count, int64_t deadline_ms, blob_put_done_fn *done,
    void *arg)
{
    struct blob_client_item *item = NULL;
    struct status status = new_put(client, number, slices, count, &item);
    if (!status_ok(status)) {
        blob_client_settle_release(slices, count);
        done(arg, status, BLOB_NONE);
        return;
    }
    item->id = *id;
    item->deadline_ms = deadline_ms;
    item->put_done = done;
    item->arg = arg;
    submit(client, item);
}

void blob_client_get(
    struct blob_client *client, uint32_t number, const struct id16 *id, uint32_t offset,
    uint32_t size, int64_t deadline_ms, blob_get_done_fn *done, void *arg)
{
    struct blob_client_account *account = NULL;
    struct status status = blob_client_state_find(client, number, &account);
    struct blob_client_item *item = status_ok(status) ? calloc(1, sizeof(*item)) : NULL;
    if (item == NULL) {
        done(arg, status_ok(status) ? FAIL(NO_MEMORY, "get") : status, NULL);
        return;
    }
    item->account = account;
    item->is_bulk = size == 0 || size > BLOB_SMALL_MAX;
    item->lane.size = size;
    item->id = *id;
    item->offset = offset;
    item->size = size;
    item->deadline_ms = deadline_ms;
    item->get_done = done;
    item->arg = arg;
    submit(client, item);
}
