#include "blobnode/blob_client_state.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "proto/blob.pb-c.h"

#include <stdlib.h>

enum { FRAME_MAX = 1024 * 1024 };

/* A put or a get on its way through a lane. */
struct item {
    struct lane_item lane; /* First: the lane hands it back. */
    struct blob_client_account *account;
    bool is_put;
    bool is_bulk;
    struct id16 id;
    uint32_t offset;
    uint32_t size;
    int64_t deadline_ms;
    blob_put_done_fn *put_done;
    blob_get_done_fn *get_done;
    void *arg;
    size_t count;              /* Slices still ours. */
    struct rpc_slice slices[]; /* Of a put. */
};

/* One RPC with the items that it carries. */
struct call {
    struct blob_client *client;
    struct blob_client_account *account;
    struct blob_client_node *node;
    struct lane *lane;
    struct item *items;
    size_t count;
    bool is_bulk;
};

static void release_slices(const struct rpc_slice *slices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slices[i].release != NULL) {
            slices[i].release(slices[i].arg);
        }
    }
}

static struct item *next_of(const struct item *item)
{
    return (struct item *)item->lane.next;
}

/* ---------------------------------------------------------------- ends */

static void settle(
    struct item *item, struct status status, enum blob_outcome outcome,
    const struct rpc_pieces *pieces)
{
    struct blob_client *client = item->account->client;
    release_slices(item->slices, item->count);
    if (item->is_put) {
        item->put_done(item->arg, status, outcome);
    } else {
        item->get_done(item->arg, status, pieces);
    }
    free(item);
    blob_client_state_leave(client);
}

static void settle_all(struct item *items, struct status status)
{
    while (items != NULL) {
        struct item *item = items;
        items = next_of(item);
        settle(item, status, BLOB_NONE, NULL);
    }
}

static struct status status_of(enum blob_outcome outcome)
{
    switch (outcome) {
    case BLOB_STORED:
    case BLOB_SAME:
    case BLOB_FOUND:
        return OK;
    case BLOB_DIFFERS:
        return FAIL(CONFLICT, "blob is there with other bytes");
    case BLOB_TRASHED:
        return FAIL(STALE, "blob is in the trash");
    case BLOB_FULL:
        return FAIL(FULL, "blob node");
    case BLOB_NOT_FOUND:
        return FAIL(NOT_FOUND, "blob");
    case BLOB_CORRUPT:
        return FAIL(CORRUPT, "blob is damaged");
    case BLOB_INVALID:
        return FAIL(RANGE, "range of blob");
    case BLOB_FAILED:
        return FAIL(IO, "blob node's disk");
    case BLOB_NONE:
        break;
    }
    return FAIL(UNKNOWN, "answer without an outcome");
}

static void settle_puts(struct call *call, const Triad__Blob__PutReply *reply)
{
    struct blob_client_account *account = call->account;
    atomic_store(&account->free_bytes, reply->free_bytes);
    blob_client_state_note_keyset(account, reply->keyset_version);
    if (reply->n_outcomes != call->count) {
        settle_all(call->items, FAIL(UNKNOWN, "number of outcomes"));
        return;
    }
    struct item *item = call->items;
    for (size_t i = 0; i < call->count; i++) {
        struct item *next = next_of(item);
        enum blob_outcome outcome = (enum blob_outcome)reply->outcomes[i];
        struct status status = status_of(outcome);
        settle(item, outcome == BLOB_FOUND ? FAIL(UNKNOWN, "outcome") : status, outcome, NULL);
        item = next;
    }
}

/* The sizes must be what was asked for, and together the payload. */
static bool results_fit(
    const struct call *call, const Triad__Blob__GetReply *reply, const struct rpc_pieces *payload)
{
    if (reply->n_results != call->count) {
        return false;
    }
    uint64_t sum = 0;
    const struct item *item = call->items;
    for (size_t i = 0; i < call->count; i++, item = next_of(item)) {
        const Triad__Blob__GetResult *result = reply->results[i];
        bool is_found = result->outcome == TRIAD__BLOB__OUTCOME__FOUND;
        uint32_t size = is_found ? result->size : 0;
        if (is_found && item->size != 0 && size != item->size) {
            return false;
        }
        sum += size;
    }
    return sum == payload->size;
}

/* The next size bytes of *rest, which is moved on, as pieces written to `to`; returns how many. */
static size_t cut(struct rpc_pieces *rest, size_t *offset, size_t size, struct bytes *to)
{
    size_t count = 0;
    while (size > 0) {
        struct bytes piece = bytes_from(rest->pieces[0], *offset);
        size_t taken = piece.size < size ? piece.size : size;
        if (taken > 0) {
            to[count++] = bytes_of(piece.data, taken);
        }
        size -= taken;
        *offset += taken;
        if (*offset == rest->pieces[0].size) {
            rest->pieces++;
            *offset = 0;
        }
    }
    return count;
}

static void
settle_gets(struct call *call, const Triad__Blob__GetReply *reply, const struct rpc_pieces *payload)
{
    blob_client_state_note_keyset(call->account, reply->keyset_version);
    struct bytes *views = malloc((payload->count + call->count + 1) * sizeof(*views));
    if (views == NULL || !results_fit(call, reply, payload)) {
        settle_all(
            call->items, views == NULL ? FAIL(NO_MEMORY, "pieces of a reply")
                                       : FAIL(UNKNOWN, "sizes of a reply"));
        free(views);
        return;
    }
    struct rpc_pieces rest = *payload;
    struct bytes *to = views;
    size_t offset = 0;
    struct item *item = call->items;
    for (size_t i = 0; i < call->count; i++) {
        struct item *next = next_of(item);
        enum blob_outcome outcome = (enum blob_outcome)reply->results[i]->outcome;
        if (outcome == BLOB_FOUND) {
            struct rpc_pieces pieces = {.pieces = to, .size = reply->results[i]->size};
            pieces.count = cut(&rest, &offset, pieces.size, to);
            to += pieces.count;
            settle(item, OK, outcome, &pieces);
        } else {
            struct status status = status_of(outcome);
            settle(item, status_ok(status) ? FAIL(UNKNOWN, "outcome") : status, outcome, NULL);
        }
        item = next;
    }
    free(views);
}

/* The lane first: the next call is on its way before the items' owners run. */
static void ended(void *arg, struct status status, struct rpc_reply *reply)
{
    struct call *call = arg;
    bool is_put = call->items->is_put;
    blob_client_node_note(call->node, status);
    lane_done(call->lane);
    if (!status_ok(status)) {
        settle_all(call->items, status);
    } else if (is_put) {
        settle_puts(call, (const Triad__Blob__PutReply *)reply->message);
    } else {
        settle_gets(call, (const Triad__Blob__GetReply *)reply->message, &reply->payload);
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

static struct status make_put(const struct call *call, struct frame *frame)
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
    struct item *item = call->items;
    for (size_t i = 0; i < call->count; i++, item = next_of(item)) {
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

static struct status make_get(const struct call *call, struct frame *frame)
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
    const struct item *item = call->items;
    for (size_t i = 0; i < call->count; i++, item = next_of(item)) {
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
static void disown_slices(struct call *call)
{
    for (struct item *item = call->items; item != NULL; item = next_of(item)) {
        item->count = 0;
    }
}

static struct status start(struct call *call, struct frame *frame)
{
    const struct blob_client_options *options = &call->client->options;
    bool is_put = call->items->is_put;
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
    rpc_start(channel, &request, ended, call);
    return OK;
}

/* Take those out whose time is over; the latest deadline of the others is the call's. */
static struct item *take_late(struct call *call, int64_t *ret_deadline_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t latest_ms = 0;
    struct lane_item *late = NULL;
    struct lane_item *kept = NULL;
    struct lane_item **kept_end = &kept;
    struct item *next = NULL;
    for (struct item *item = call->items; item != NULL; item = next) {
        next = next_of(item);
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
    call->items = (struct item *)kept;
    *ret_deadline_ms = latest_ms;
    return (struct item *)late;
}

/* The call never began: done with it, but in the same order as ended(). */
static void give_up(struct call *call, struct status status)
{
    struct blob_client *client = call->client;
    struct item *items = call->items;
    struct lane *lane = call->lane;
    free(call);
    lane_done(lane);
    settle_all(items, status);
    blob_client_state_leave(client);
}

void blob_client_data_send(void *context, struct lane *lane, struct lane_item *items, size_t count)
{
    (void)context;
    struct item *first = (struct item *)items;
    struct blob_client *client = first->account->client;
    blob_client_state_enter(client);
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        lane_done(lane);
        settle_all(first, FAIL(NO_MEMORY, "call"));
        blob_client_state_leave(client);
        return;
    }
    *call = (struct call){
        .client = client,
        .account = first->account,
        .node = atomic_load(&first->account->node),
        .lane = lane,
        .items = first,
        .count = count,
        .is_bulk = first->is_bulk,
    };
    struct frame frame = {.arena = {.limit = FRAME_MAX}};
    settle_all(take_late(call, &frame.deadline_ms), FAIL(TIMEOUT, "waited too long to be sent"));
    struct status status =
        call->count > 0 ? start(call, &frame) : FAIL(TIMEOUT, "waited too long to be sent");
    if (!status_ok(status)) {
        give_up(call, status);
    }
    arena_done(&frame.arena);
}

/* ---------------------------------------------------------------- submitting */

static void submit(struct blob_client *client, struct item *item)
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
    struct item **ret_item)
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
    struct item *item = calloc(1, sizeof(*item) + count * sizeof(*slices));
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
    struct item *item = NULL;
    struct status status = new_put(client, number, slices, count, &item);
    if (!status_ok(status)) {
        release_slices(slices, count);
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
    struct item *item = status_ok(status) ? calloc(1, sizeof(*item)) : NULL;
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
