#include "steward/repair_task.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/crypto/random.h"
#include "steward/repair_metrics.h"
#include "steward/repair_read.h"

#include <stdlib.h>

struct work {
    const struct repair_options *options;
    uint32_t steward_fence;
    const Triad__Content__RepairTask *task;
    struct repair_chunk chunk;
    struct repair_fragments fragments;
};

static struct bytes view(const ProtobufCBinaryData *data)
{
    return bytes_of(data->data, data->len);
}

static int64_t deadline(const struct work *work)
{
    return clock_monotonic_ms() + work->options->call_timeout_ms;
}

/* From the task's rows to the one chunk that it names. */
static struct status decode(const Triad__Content__RepairTask *task, struct repair_chunk *ret_chunk)
{
    struct manifest_head head;
    struct bytes page = view(&task->manifest);
    TRY(manifest_page_head(page, &head));
    if (task->chunk >= head.rows) {
        return FAIL(CORRUPT, "the task names no row of its page");
    }
    TRY(manifest_page_row(page, &head, task->chunk, &ret_chunk->row));
    TRY(chunk_shape_check(&ret_chunk->row.shape));
    ret_chunk->ik_ver = head.ik_ver;
    ret_chunk->k = head.k;
    ret_chunk->m = head.m;
    size_t each = (size_t)head.k + head.m;
    struct placement_entry *entries = calloc(head.rows * each, sizeof(*entries));
    if (entries == NULL) {
        return FAIL(NO_MEMORY, "placement");
    }
    struct status status = placement_decode(view(&task->placement), entries, head.rows * each);
    if (status_ok(status)) {
        memcpy(
            ret_chunk->entries, entries + task->chunk * each, each * sizeof(*ret_chunk->entries));
    }
    free(entries);
    return status;
}

static struct status outcome_status(Triad__Content__Outcome outcome)
{
    if (outcome == TRIAD__CONTENT__OUTCOME__DONE) {
        return OK;
    }
    if (outcome == TRIAD__CONTENT__OUTCOME__DENIED) {
        return FAIL(DENIED, "another steward is active");
    }
    if (outcome == TRIAD__CONTENT__OUTCOME__NOT_FOUND) {
        return FAIL(NOT_FOUND, "the content is gone");
    }
    return FAIL(UNAVAILABLE, "the content DB refused a step of a repair");
}

/* The account that is to hold the fragment: the intended one while it is up, else another. */
static struct status choose_account(const struct work *work, unsigned index, uint32_t *ret_account)
{
    const struct placement_entry *entry = &work->chunk.entries[index];
    if (fragment_client_is_up(work->options->fragments, entry->account)) {
        *ret_account = entry->account;
        return OK;
    }
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    size_t count = fragment_client_candidates(
        work->options->fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
    uint32_t used[ERASURE_FRAGMENTS_MAX];
    unsigned total = work->chunk.k + work->chunk.m;
    for (unsigned i = 0; i < total; i++) {
        used[i] = work->chunk.entries[i].account;
    }
    uint8_t random[8];
    TRY(random_bytes(random, sizeof(random)));
    return placement_choose_other(candidates, count, used, total, random, ret_account);
}

static struct status reserve(struct work *work, unsigned index)
{
    uint32_t account;
    uint32_t copy = 0;
    TRY(choose_account(work, index, &account));
    Triad__Content__ReserveRepairRequest request = TRIAD__CONTENT__RESERVE_REPAIR_REQUEST__INIT;
    request.steward_fence = work->steward_fence;
    request.content = work->task->content;
    request.page = work->task->page;
    request.chunk = work->task->chunk;
    request.index = index;
    request.account = account;
    Triad__Content__Outcome outcome;
    TRY(content_client_reserve_repair(
        work->options->content, &request, deadline(work), &outcome, &copy));
    TRY(outcome_status(outcome));
    if (copy > UINT8_MAX) {
        return FAIL(CORRUPT, "copy number out of range");
    }
    work->chunk.entries[index].account = account;
    work->chunk.entries[index].copy = (uint8_t)copy;
    work->chunk.entries[index].state = PLACEMENT_MISSING;
    return OK;
}

struct stored {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_done;
    struct status status;
};

static void was_put(void *arg, struct status status, enum blob_outcome outcome)
{
    (void)outcome; /* The status says it. */
    struct stored *stored = arg;
    LOCKED(&stored->mutex);
    stored->status = status;
    stored->is_done = true;
    pthread_cond_signal(&stored->changed);
}

static struct status write_fragment(const struct work *work, unsigned index)
{
    const struct placement_entry *entry = &work->chunk.entries[index];
    struct stored stored = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    task_condition_init(&stored.changed);
    struct fragment_name name = {
        .account = entry->account, .chunk = work->chunk.row.chunk, .copy = entry->copy};
    /* Without a release function gRPC takes a copy: the buffer stays ours. */
    struct rpc_slice slice = {
        .bytes = bytes_of(work->fragments.data[index], work->fragments.sizes[index])};
    fragment_client_put(
        work->options->fragments, &name, &slice, 1, deadline(work), was_put, &stored);
    pthread_mutex_lock(&stored.mutex);
    while (!stored.is_done) {
        pthread_cond_wait(&stored.changed, &stored.mutex);
    }
    pthread_mutex_unlock(&stored.mutex);
    pthread_cond_destroy(&stored.changed);
    return stored.status;
}

static struct status confirm(const struct work *work, unsigned index)
{
    const struct placement_entry *entry = &work->chunk.entries[index];
    Triad__Content__ConfirmRepairRequest request = TRIAD__CONTENT__CONFIRM_REPAIR_REQUEST__INIT;
    request.steward_fence = work->steward_fence;
    request.content = work->task->content;
    request.page = work->task->page;
    request.chunk = work->task->chunk;
    request.index = index;
    request.account = entry->account;
    request.copy = entry->copy;
    Triad__Content__Outcome outcome;
    TRY(content_client_confirm_repair(work->options->content, &request, deadline(work), &outcome));
    return outcome_status(outcome);
}

/* Bad fragments get a new place and their bytes. A missing one whose place is up keeps it: nothing
 * was ever stored there under that number. */
static struct status mend(struct work *work, unsigned index)
{
    const struct placement_entry *entry = &work->chunk.entries[index];
    if (entry->state != PLACEMENT_MISSING ||
        !fragment_client_is_up(work->options->fragments, entry->account)) {
        TRY(reserve(work, index));
    }
    struct status status = write_fragment(work, index);
    if (status.code == STATUS_EXISTS || status.code == STATUS_CONFLICT ||
        status.code == STATUS_STALE) {
        /* Other bytes or a deleted blob lie under that number: take the next. */
        TRY(reserve(work, index));
        status = write_fragment(work, index);
    }
    TRY(status);
    TRY(confirm(work, index));
    metric_add(&repair_metrics()->repaired, 1);
    metric_add(&repair_metrics()->bytes, (int64_t)work->fragments.sizes[index]);
    return OK;
}

/* Rebuild into the room of every fragment that is not good, and hold the result to the tags. */
static struct status rebuild(struct work *work, struct aead *tagger, const struct erasure *erasure)
{
    bool is_present[ERASURE_FRAGMENTS_MAX];
    unsigned total = work->chunk.k + work->chunk.m;
    for (unsigned i = 0; i < total; i++) {
        is_present[i] = work->fragments.verdicts[i] == REPAIR_GOOD;
    }
    TRY(erasure_rebuild(
        erasure, &work->chunk.row.shape, (uint8_t *const *)work->fragments.data, is_present));
    for (unsigned i = 0; i < total; i++) {
        uint8_t tag[FRAGMENT_TAG_SIZE];
        struct bytes whole = bytes_of(work->fragments.data[i], work->fragments.sizes[i]);
        TRY(fragment_tagger_tag(tagger, i, &whole, 1, tag));
        if (memcmp(tag, work->chunk.row.tags + (size_t)i * sizeof(tag), sizeof(tag)) != 0) {
            return FAIL(CORRUPT, "a rebuilt fragment does not fit its tag");
        }
    }
    return OK;
}

static struct status finish(const struct work *work)
{
    Triad__Content__FinishRepairRequest request = TRIAD__CONTENT__FINISH_REPAIR_REQUEST__INIT;
    request.steward_fence = work->steward_fence;
    request.content = work->task->content;
    request.page = work->task->page;
    request.chunk = work->task->chunk;
    request.priority = work->task->priority;
    Triad__Content__Outcome outcome;
    TRY(content_client_finish_repair(work->options->content, &request, deadline(work), &outcome));
    if (outcome == TRIAD__CONTENT__OUTCOME__NOT_FOUND) {
        return OK; /* Somebody finished it before. */
    }
    return outcome_status(outcome);
}

static struct status mend_all(struct work *work, struct aead *tagger)
{
    OWNED(erasure) struct erasure *erasure = NULL;
    TRY(erasure_new(work->chunk.k, work->chunk.m, &erasure));
    TRY(repair_read(
        work->options->fragments, tagger, erasure, &work->chunk, deadline(work), &work->fragments));
    struct status status = rebuild(work, tagger, erasure);
    bool is_whole = true;
    for (unsigned i = 0; i < work->chunk.k + work->chunk.m && status_ok(status); i++) {
        if (work->fragments.verdicts[i] == REPAIR_BAD) {
            status = mend(work, i);
        }
        is_whole = is_whole && work->fragments.verdicts[i] != REPAIR_UNKNOWN;
    }
    repair_read_done(&work->fragments);
    TRY(status);
    if (!is_whole) {
        return FAIL(UNAVAILABLE, "a node that holds a fragment does not answer");
    }
    return OK;
}

struct status repair_task_run(
    const struct repair_options *options, uint32_t steward_fence,
    const Triad__Content__RepairTask *task)
{
    struct work work = {.options = options, .steward_fence = steward_fence, .task = task};
    TRY(decode(task, &work.chunk));
    const struct secret *integrity_key =
        fragment_client_integrity_key(options->fragments, work.chunk.ik_ver, NULL);
    if (integrity_key == NULL) {
        return FAIL(UNAVAILABLE, "the integrity key of that version is not known");
    }
    OWNED(aead) struct aead *tagger = NULL;
    TRY(fragment_tagger_new(integrity_key, &work.chunk.row.chunk, &tagger));
    struct status status = mend_all(&work, tagger);
    if (status.code == STATUS_NOT_FOUND) {
        return finish(&work); /* The content went away meanwhile. */
    }
    TRY(status);
    return finish(&work);
}
