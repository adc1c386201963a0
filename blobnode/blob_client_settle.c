#include "blobnode/blob_client_item.h"

#include <stdlib.h>

void blob_client_settle_release(const struct rpc_slice *slices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slices[i].release != NULL) {
            slices[i].release(slices[i].arg);
        }
    }
}

static void settle(
    struct blob_client_item *item, struct status status, enum blob_outcome outcome,
    const struct rpc_pieces *pieces)
{
    struct blob_client *client = item->account->client;
    blob_client_settle_release(item->slices, item->count);
    if (item->is_put) {
        item->put_done(item->arg, status, outcome);
    } else {
        item->get_done(item->arg, status, pieces);
    }
    free(item);
    blob_client_state_leave(client);
}

void blob_client_settle_all(struct blob_client_item *items, struct status status)
{
    while (items != NULL) {
        struct blob_client_item *item = items;
        items = blob_client_item_next(item);
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

void blob_client_settle_puts(struct blob_client_rpc *call, const Triad__Blob__PutReply *reply)
{
    struct blob_client_account *account = call->account;
    atomic_store(&account->free_bytes, reply->free_bytes);
    blob_client_state_note_keyset(account, reply->keyset_version);
    if (reply->n_outcomes != call->count) {
        blob_client_settle_all(call->items, FAIL(UNKNOWN, "number of outcomes"));
        return;
    }
    struct blob_client_item *item = call->items;
    for (size_t i = 0; i < call->count; i++) {
        struct blob_client_item *next = blob_client_item_next(item);
        enum blob_outcome outcome = (enum blob_outcome)reply->outcomes[i];
        struct status status = status_of(outcome);
        settle(item, outcome == BLOB_FOUND ? FAIL(UNKNOWN, "outcome") : status, outcome, NULL);
        item = next;
    }
}

/* The sizes must be what was asked for, and together the payload. */
static bool results_fit(
    const struct blob_client_rpc *call, const Triad__Blob__GetReply *reply,
    const struct rpc_pieces *payload)
{
    if (reply->n_results != call->count) {
        return false;
    }
    uint64_t sum = 0;
    const struct blob_client_item *item = call->items;
    for (size_t i = 0; i < call->count; i++, item = blob_client_item_next(item)) {
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

void blob_client_settle_gets(
    struct blob_client_rpc *call, const Triad__Blob__GetReply *reply,
    const struct rpc_pieces *payload)
{
    blob_client_state_note_keyset(call->account, reply->keyset_version);
    struct bytes *views = malloc((payload->count + call->count + 1) * sizeof(*views));
    if (views == NULL || !results_fit(call, reply, payload)) {
        blob_client_settle_all(
            call->items, views == NULL ? FAIL(NO_MEMORY, "pieces of a reply")
                                       : FAIL(UNKNOWN, "sizes of a reply"));
        free(views);
        return;
    }
    struct rpc_pieces rest = *payload;
    struct bytes *to = views;
    size_t offset = 0;
    struct blob_client_item *item = call->items;
    for (size_t i = 0; i < call->count; i++) {
        struct blob_client_item *next = blob_client_item_next(item);
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
