#include "steward/repair.h"

#include "frontend/fragment_gather.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/crypto/random.h"
#include "lib/format/manifest_page.h"
#include "lib/telemetry/log.h"
#include "steward/repair_place.h"

#include <stdlib.h>

enum { MOVES_MAX = 3 };

struct repair {
    const struct repair_options *options;
    const Triad__Content__RepairTask *task;
    struct chunk_reference reference;
    const struct erasure *erasure;
    struct fragment_gather *gather; /* Owned. */
    enum fragment_verdict verdicts[ERASURE_FRAGMENTS_MAX];
    unsigned count;
    bool is_garbage; /* The content DB said that nobody refers to the content any more. */
};

static void repair_release(struct repair *repair)
{
    fragment_gather_free(repair->gather);
}

enum repair_action repair_decide(bool is_good, bool is_gone, bool is_missing, bool account_is_up)
{
    if (is_good) {
        return is_missing ? REPAIR_CONFIRM : REPAIR_NOTHING;
    }
    if (is_missing) {
        return account_is_up ? REPAIR_IN_PLACE : REPAIR_MOVE;
    }
    /* Under the id of a stored fragment that is gone or damaged nothing new is put. */
    return is_gone ? REPAIR_MOVE : REPAIR_WAIT;
}

/* ---------------------------------------------------------------- what the task says */

static struct status read_task(struct repair *repair)
{
    const Triad__Content__RepairTask *task = repair->task;
    struct bytes page = content_client_bytes(task->manifest);
    struct manifest_head head;
    struct manifest_row row;
    TRY(manifest_page_head(page, &head));
    if (task->chunk >= head.rows || head.rows > MANIFEST_ROWS_MAX) {
        return FAIL(CORRUPT, "chunk of a repair");
    }
    TRY(erasure_table_get(repair->options->erasures, head.k, head.m, &repair->erasure));
    TRY(manifest_page_row(page, &head, task->chunk, &row));
    TRY(chunk_shape_check(&row.shape));
    repair->count = (unsigned)head.k + head.m;
    struct placement_entry *entries = calloc((size_t)head.rows * repair->count, sizeof(*entries));
    if (entries == NULL) {
        return FAIL(NO_MEMORY, "placement entries");
    }
    struct status status = placement_decode(
        content_client_bytes(task->placement), entries, (size_t)head.rows * repair->count);
    memcpy(
        repair->reference.entries, entries + (size_t)task->chunk * repair->count,
        repair->count * sizeof(*entries));
    free(entries);
    TRY(status);
    struct chunk_reference *reference = &repair->reference;
    reference->context.shape = row.shape;
    memcpy(reference->context.chunk_id, row.chunk.bytes, CHUNK_ID_SIZE);
    memcpy(reference->tags, row.tags, (size_t)repair->count * FRAGMENT_TAG_SIZE);
    reference->k = head.k;
    reference->m = head.m;
    reference->ik_ver = head.ik_ver;
    reference->to = row.shape.plain_len;
    return OK;
}

static struct status gather(struct repair *repair)
{
    struct chunk_read_options options = {
        .fragments = repair->options->fragments,
        .erasure = repair->erasure,
        .timeout_ms = repair->options->fragment_timeout_ms,
        .hedge_ms = repair->options->fragment_timeout_ms,
    };
    OWNED(chunk_buffer) struct chunk_buffer *buffer = NULL;
    TRY(chunk_pool_take(
        repair->options->pool, chunk_read_memory(repair->erasure, &repair->reference),
        clock_monotonic_ms() + repair->options->fragment_timeout_ms, &buffer));
    TRY(fragment_gather_start(&options, &repair->reference, &buffer, &repair->gather));
    return fragment_gather_all(repair->gather, repair->verdicts);
}

/* ---------------------------------------------------------------- one fragment */

struct put_wait {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool is_done;
    struct status status;
};

static void put_done(void *arg, struct status status, enum blob_outcome outcome)
{
    (void)outcome; /* The status says as much as we need. */
    struct put_wait *wait = arg;
    LOCKED(&wait->mutex);
    wait->is_done = true;
    wait->status = status;
    pthread_cond_signal(&wait->done);
}

/* The bytes are copied into the call: the buffer is ours again at once. */
static struct status put_fragment(struct repair *repair, unsigned index)
{
    const struct placement_entry *entry = &repair->reference.entries[index];
    struct fragment_name name = {.account = entry->account, .copy = entry->copy};
    memcpy(name.chunk.bytes, repair->reference.context.chunk_id, CHUNK_ID_SIZE);
    TRY(fragment_gather_check(repair->gather, index));
    struct rpc_slice slice = {.bytes = fragment_gather_fragment(repair->gather, index)};
    struct put_wait wait = {.is_done = false, .status = OK};
    pthread_mutex_init(&wait.mutex, NULL);
    task_condition_init(&wait.done);
    fragment_client_put(
        repair->options->fragments, &name, &slice, slice.bytes.size > 0 ? 1 : 0,
        clock_monotonic_ms() + repair->options->fragment_timeout_ms, put_done, &wait);
    pthread_mutex_lock(&wait.mutex);
    while (!wait.is_done) { /* The call has a deadline. */
        pthread_cond_wait(&wait.done, &wait.mutex);
    }
    pthread_mutex_unlock(&wait.mutex);
    pthread_cond_destroy(&wait.done);
    pthread_mutex_destroy(&wait.mutex);
    return wait.status;
}

/* The content DB's word: a steward that was replaced stops. */
static struct status judge(struct repair *repair, Triad__Content__Outcome outcome)
{
    if (outcome == TRIAD__CONTENT__OUTCOME__DONE) {
        return OK;
    }
    if (outcome == TRIAD__CONTENT__OUTCOME__DENIED) {
        return FAIL(STALE, "another steward is active");
    }
    if (outcome == TRIAD__CONTENT__OUTCOME__NOT_FOUND) {
        repair->is_garbage = true;
        return FAIL(NOT_FOUND, "the content is gone");
    }
    return FAIL(CONFLICT, "the content DB did not take a repair");
}

static int64_t deadline(const struct repair *repair)
{
    return clock_monotonic_ms() + repair->options->call_timeout_ms;
}

static struct status confirm(struct repair *repair, unsigned index)
{
    const struct placement_entry *entry = &repair->reference.entries[index];
    Triad__Content__ConfirmRepairRequest request = TRIAD__CONTENT__CONFIRM_REPAIR_REQUEST__INIT;
    request.steward_fence = repair->options->steward_fence;
    request.content = repair->task->content;
    request.page = repair->task->page;
    request.chunk = repair->task->chunk;
    request.index = index;
    request.account = entry->account;
    request.copy = entry->copy;
    Triad__Content__Outcome outcome = TRIAD__CONTENT__OUTCOME__NONE;
    TRY(content_client_confirm_repair(
        repair->options->content, &request, deadline(repair), &outcome));
    return judge(repair, outcome);
}

static struct status
choose_place(const struct repair *repair, unsigned index, bool may_stay, uint32_t *ret_account)
{
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    size_t count = fragment_client_candidates(
        repair->options->fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
    uint32_t accounts[ERASURE_FRAGMENTS_MAX];
    for (unsigned i = 0; i < repair->count; i++) {
        accounts[i] = repair->reference.entries[i].account;
    }
    uint8_t random[8];
    TRY(random_bytes(random, sizeof(random)));
    struct status status = repair_place_choose(
        candidates, count, accounts, repair->count, index, may_stay, random, ret_account);
    return status_ok(status) ? OK : FAIL(BUSY, "no storage account is free for the fragment");
}

/* Reserve a new place for fragment index, under a number that the chunk did not use yet. */
static struct status reserve(struct repair *repair, unsigned index, bool may_stay)
{
    struct placement_entry *entry = &repair->reference.entries[index];
    uint32_t account = 0;
    TRY(choose_place(repair, index, may_stay, &account));
    Triad__Content__ReserveRepairRequest request = TRIAD__CONTENT__RESERVE_REPAIR_REQUEST__INIT;
    request.steward_fence = repair->options->steward_fence;
    request.content = repair->task->content;
    request.page = repair->task->page;
    request.chunk = repair->task->chunk;
    request.index = index;
    request.account = account;
    Triad__Content__Outcome outcome = TRIAD__CONTENT__OUTCOME__NONE;
    uint32_t number = 0;
    TRY(content_client_reserve_repair(
        repair->options->content, &request, deadline(repair), &outcome, &number));
    TRY(judge(repair, outcome));
    *entry = (struct placement_entry){
        .account = account, .copy = (uint8_t)number, .state = PLACEMENT_MISSING};
    return OK;
}

static struct status repair_fragment(struct repair *repair, unsigned index)
{
    const struct placement_entry *entry = &repair->reference.entries[index];
    bool is_up = fragment_client_is_active(repair->options->fragments, entry->account) &&
                 fragment_client_is_up(repair->options->fragments, entry->account);
    enum repair_action action = repair_decide(
        repair->verdicts[index] == FRAGMENT_GOOD, repair->verdicts[index] == FRAGMENT_BAD,
        entry->state == PLACEMENT_MISSING, is_up);
    if (action == REPAIR_NOTHING) {
        return OK;
    }
    if (action == REPAIR_WAIT) {
        return FAIL(BUSY, "the node of a fragment is away");
    }
    if (action == REPAIR_CONFIRM) {
        return confirm(repair, index);
    }
    struct status status = FAIL(BUSY, "not put");
    for (int moves = action == REPAIR_MOVE ? 1 : 0; moves <= MOVES_MAX; moves++) {
        if (moves > 0) {
            TRY(reserve(repair, index, moves == 1));
        }
        status = put_fragment(repair, index);
        if (status_ok(status)) {
            log_event(
                LOG_INFO, "fragment repaired", LOG_INT("account", entry->account),
                LOG_INT("fragment", index),
                LOG_HEX("chunk", BYTES_ARRAY(repair->reference.context.chunk_id)));
            return confirm(repair, index);
        }
    }
    return status;
}

static struct status finish(struct repair *repair)
{
    Triad__Content__FinishRepairRequest request = TRIAD__CONTENT__FINISH_REPAIR_REQUEST__INIT;
    request.steward_fence = repair->options->steward_fence;
    request.content = repair->task->content;
    request.page = repair->task->page;
    request.chunk = repair->task->chunk;
    request.priority = repair->task->priority;
    Triad__Content__Outcome outcome = TRIAD__CONTENT__OUTCOME__NONE;
    TRY(content_client_finish_repair(
        repair->options->content, &request, deadline(repair), &outcome));
    /* The last confirmation may have ended it already. */
    return outcome == TRIAD__CONTENT__OUTCOME__NOT_FOUND ? OK : judge(repair, outcome);
}

struct status
repair_run(const struct repair_options *options, const Triad__Content__RepairTask *task)
{
    __attribute__((cleanup(repair_release))) struct repair repair = {
        .options = options, .task = task};
    if (task->manifest.len == 0) {
        return finish(&repair); /* The page is gone: so is the content. */
    }
    TRY(read_task(&repair));
    TRY(gather(&repair));
    struct status first = OK;
    for (unsigned i = 0; i < repair.count; i++) {
        struct status status = repair_fragment(&repair, i);
        if (repair.is_garbage) {
            return finish(&repair); /* Else the task would come back for ever. */
        }
        if (status.code == STATUS_STALE) {
            return status;
        }
        first = status_ok(first) ? status : first;
    }
    TRY(first);
    return finish(&repair);
}
