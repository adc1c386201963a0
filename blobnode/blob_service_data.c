#include "blobnode/blob_metrics.h"
#include "blobnode/blob_service.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"
#include "proto/blob.pb-c.h"

#include <stdlib.h>

/* Equal by construction; the .proto's comments are the truth. */
_Static_assert((int)BLOB_STORED == TRIAD__BLOB__OUTCOME__STORED, "outcome");
_Static_assert((int)BLOB_SAME == TRIAD__BLOB__OUTCOME__SAME, "outcome");
_Static_assert((int)BLOB_DIFFERS == TRIAD__BLOB__OUTCOME__DIFFERS, "outcome");
_Static_assert((int)BLOB_TRASHED == TRIAD__BLOB__OUTCOME__TRASHED, "outcome");
_Static_assert((int)BLOB_FULL == TRIAD__BLOB__OUTCOME__FULL, "outcome");
_Static_assert((int)BLOB_NOT_FOUND == TRIAD__BLOB__OUTCOME__NOT_FOUND, "outcome");
_Static_assert((int)BLOB_CORRUPT == TRIAD__BLOB__OUTCOME__CORRUPT, "outcome");
_Static_assert((int)BLOB_FOUND == TRIAD__BLOB__OUTCOME__FOUND, "outcome");
_Static_assert((int)BLOB_INVALID == TRIAD__BLOB__OUTCOME__INVALID, "outcome");
_Static_assert((int)BLOB_FAILED == TRIAD__BLOB__OUTCOME__FAILED, "outcome");

static struct status check_count(size_t count)
{
    if (count > BLOB_ITEMS_MAX) {
        return FAIL(TOO_LARGE, "items of a call");
    }
    return OK;
}

/* Outcomes for the reply; zeroed, so BLOB_NONE. At least one, so that none is no special case. */
static struct status
new_outcomes(struct rpc_call *call, size_t count, Triad__Blob__Outcome **ret_outcomes)
{
    Triad__Blob__Outcome *outcomes =
        arena_zalloc(rpc_call_arena(call), count + 1, sizeof(*outcomes));
    if (outcomes == NULL) {
        return FAIL(NO_MEMORY, "outcomes");
    }
    *ret_outcomes = outcomes;
    return OK;
}

static void alert(const char *event, const struct blob_account *account, const struct id16 *id)
{
    log_event(
        LOG_ERROR, event, LOG_HEX("account", id16_view(&blob_account_identity(account)->account)),
        LOG_HEX("blob", id16_view(id)));
}

/* ---------------------------------------------------------------- put */

/* Where in the payload's pieces the next item starts. */
struct cursor {
    const struct rpc_pieces *pieces;
    size_t piece;
    size_t offset;
};

/* The next size bytes as parts, written to parts; returns how many. They are there. */
static size_t cut(struct cursor *cursor, size_t size, struct bytes *parts)
{
    size_t count = 0;
    while (size > 0) {
        const struct bytes *piece = &cursor->pieces->pieces[cursor->piece];
        struct bytes rest = bytes_from(*piece, cursor->offset);
        size_t taken = rest.size < size ? rest.size : size;
        if (taken > 0) {
            parts[count++] = bytes_of(rest.data, taken);
        }
        size -= taken;
        cursor->offset += taken;
        if (cursor->offset == piece->size) {
            cursor->piece++;
            cursor->offset = 0;
        }
    }
    return count;
}

static struct status check_put(const Triad__Blob__PutRequest *request, size_t payload)
{
    TRY(check_count(request->n_items));
    uint64_t sum = 0;
    for (size_t i = 0; i < request->n_items; i++) {
        if (request->items[i]->size > BLOB_SIZE_MAX) {
            return FAIL(TOO_LARGE, "size of a blob");
        }
        sum += request->items[i]->size;
    }
    if (sum != payload) {
        return FAIL(INVALID, "sizes of the items and of the payload differ");
    }
    return OK;
}

static struct status make_items(
    const Triad__Blob__PutRequest *request, struct rpc_call *call, struct blob_put_item **ret_items)
{
    const struct rpc_pieces *pieces = rpc_call_payload(call);
    TRY(check_put(request, pieces->size));
    struct arena *arena = rpc_call_arena(call);
    struct blob_put_item *items = arena_zalloc(arena, request->n_items + 1, sizeof(*items));
    /* An item adds at most one part to the pieces: where it ends within one. */
    struct bytes *parts = arena_zalloc(arena, pieces->count + request->n_items + 1, sizeof(*parts));
    if (items == NULL || parts == NULL) {
        return FAIL(NO_MEMORY, "items");
    }
    struct cursor cursor = {.pieces = pieces};
    for (size_t i = 0; i < request->n_items; i++) {
        TRY(blob_service_id(&request->items[i]->id, &items[i].id));
        items[i].size = request->items[i]->size;
        items[i].parts = parts;
        items[i].count = cut(&cursor, items[i].size, parts);
        parts += items[i].count;
    }
    *ret_items = items;
    return OK;
}

static void count_put(
    const struct blob_account *account, const struct blob_put_item *item, enum blob_outcome outcome)
{
    if (outcome == BLOB_STORED) {
        metric_add(&blob_metrics_put_stored_total, 1);
        metric_add(&blob_metrics_put_bytes_total, item->size);
        return;
    }
    if (outcome == BLOB_SAME) {
        metric_add(&blob_metrics_put_same_total, 1);
        return;
    }
    if (outcome == BLOB_DIFFERS) {
        metric_add(&blob_metrics_put_differs_total, 1);
        alert("blob is here with other bytes", account, &item->id);
        return;
    }
    metric_add(&blob_metrics_put_refused_total, 1);
    if (outcome == BLOB_FAILED || outcome == BLOB_CORRUPT) {
        alert("blob could not be stored", account, &item->id);
    }
}

struct status blob_service_put(
    void *context, struct rpc_call *call, const ProtobufCMessage *request_,
    ProtobufCMessage *reply_)
{
    const Triad__Blob__PutRequest *request = (const Triad__Blob__PutRequest *)request_;
    Triad__Blob__PutReply *reply = (Triad__Blob__PutReply *)reply_;
    struct blob_account *account = NULL;
    TRY(blob_service_admit(
        context, call, &request->account, TOKEN_WRITE, &account, &reply->keyset_version));
    struct blob_put_item *items = NULL;
    TRY(make_items(request, call, &items));
    TRY(new_outcomes(call, request->n_items, &reply->outcomes));
    enum blob_outcome outcomes[BLOB_ITEMS_MAX];
    blob_account_put(account, items, request->n_items, outcomes);
    for (size_t i = 0; i < request->n_items; i++) {
        count_put(account, &items[i], outcomes[i]);
        reply->outcomes[i] = (Triad__Blob__Outcome)outcomes[i];
    }
    reply->n_outcomes = request->n_items;
    struct blob_account_stat stat;
    blob_account_stat(account, &stat);
    reply->free_bytes = stat.free_bytes;
    return OK;
}

/* ---------------------------------------------------------------- get */

static struct status get_one(
    struct blob_account *account, struct rpc_call *call, const Triad__Blob__GetItem *item,
    size_t *room, Triad__Blob__GetResult *result)
{
    struct id16 id;
    TRY(blob_service_id(&item->id, &id));
    uint8_t *data = NULL;
    uint32_t size = 0;
    enum blob_outcome outcome =
        blob_account_get(account, &id, item->offset, item->size, *room, &data, &size);
    result->outcome = (Triad__Blob__Outcome)outcome;
    if (outcome == BLOB_FOUND) {
        metric_add(&blob_metrics_get_found_total, 1);
        metric_add(&blob_metrics_get_bytes_total, size);
        result->size = size;
        *room -= size;
        if (data != NULL) {
            struct rpc_slice slice = {.bytes = bytes_of(data, size), .release = free, .arg = data};
            TRY(rpc_call_reply_slice(call, slice));
        }
    } else if (outcome == BLOB_NOT_FOUND) {
        metric_add(&blob_metrics_get_missing_total, 1);
    } else if (outcome == BLOB_CORRUPT) {
        metric_add(&blob_metrics_get_corrupt_total, 1);
        alert("blob is damaged", account, &id);
    }
    return OK;
}

struct status blob_service_get(
    void *context, struct rpc_call *call, const ProtobufCMessage *request_,
    ProtobufCMessage *reply_)
{
    const Triad__Blob__GetRequest *request = (const Triad__Blob__GetRequest *)request_;
    Triad__Blob__GetReply *reply = (Triad__Blob__GetReply *)reply_;
    struct blob_account *account = NULL;
    TRY(blob_service_admit(
        context, call, &request->account, TOKEN_READ, &account, &reply->keyset_version));
    TRY(check_count(request->n_items));
    struct arena *arena = rpc_call_arena(call);
    reply->results = arena_zalloc(arena, request->n_items + 1, sizeof(*reply->results));
    Triad__Blob__GetResult *results = arena_zalloc(arena, request->n_items + 1, sizeof(*results));
    if (reply->results == NULL || results == NULL) {
        return FAIL(NO_MEMORY, "results");
    }
    size_t room = BLOB_CALL_BYTES_MAX;
    for (size_t i = 0; i < request->n_items; i++) {
        triad__blob__get_result__init(&results[i]);
        reply->results[i] = &results[i];
        TRY(get_one(account, call, request->items[i], &room, &results[i]));
    }
    reply->n_results = request->n_items;
    return OK;
}

/* ---------------------------------------------------------------- delete */

struct status blob_service_delete(
    void *context, struct rpc_call *call, const ProtobufCMessage *request_,
    ProtobufCMessage *reply_)
{
    const Triad__Blob__DeleteRequest *request = (const Triad__Blob__DeleteRequest *)request_;
    Triad__Blob__DeleteReply *reply = (Triad__Blob__DeleteReply *)reply_;
    struct blob_account *account = NULL;
    TRY(blob_service_admit(
        context, call, &request->account, TOKEN_DELETE, &account, &reply->keyset_version));
    TRY(check_count(request->n_ids));
    struct id16 ids[BLOB_ITEMS_MAX];
    for (size_t i = 0; i < request->n_ids; i++) {
        TRY(blob_service_id(&request->ids[i], &ids[i]));
    }
    TRY(new_outcomes(call, request->n_ids, &reply->outcomes));
    enum blob_outcome outcomes[BLOB_ITEMS_MAX];
    struct status status =
        blob_account_delete(account, ids, request->n_ids, (uint64_t)clock_wall_s(), outcomes);
    if (!status_ok(status)) {
        metric_add(&blob_metrics_delete_stopped_total, 1);
        return status;
    }
    for (size_t i = 0; i < request->n_ids; i++) {
        reply->outcomes[i] = (Triad__Blob__Outcome)outcomes[i];
        if (outcomes[i] == BLOB_STORED) {
            metric_add(&blob_metrics_deleted_total, 1);
        }
    }
    reply->n_outcomes = request->n_ids;
    return OK;
}
