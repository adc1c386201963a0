#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/kv/kv_state.h"

#include <stdlib.h>

/*
 * The writer: takes up to 64 plans, runs each on the group's private tree, seals one record with
 * all they changed, appends it durably, and only then publishes the tree and answers.
 *
 *   queued -> taken -> done          a caller whose deadline passes while queued takes itself out
 */

struct group {
    struct kv_item *first; /* Taken items, in order. */
    struct kv_tree_group tree;
    uint64_t seq;               /* Given to the last plan kept. */
    uint64_t plans;             /* Kept. */
    uint32_t rows;              /* In the record. */
    struct kv_garbage *garbage; /* Owned until it is published. */
};

static void unlink_item(struct kv *kv, struct kv_item *item)
{
    if (item->previous != NULL) {
        item->previous->next = item->next;
    } else {
        kv->queue_first = item->next;
    }
    if (item->next != NULL) {
        item->next->previous = item->previous;
    } else {
        kv->queue_last = item->previous;
    }
    item->next = NULL;
    item->previous = NULL;
}

/* Enqueue and wait. */
static struct status wait_for(struct kv *kv, struct kv_item *item)
{
    LOCKED(&kv->queue_mutex);
    if (kv->is_failed || kv->is_stopping) {
        return FAIL(UNAVAILABLE, "the store failed");
    }
    item->previous = kv->queue_last;
    if (kv->queue_last != NULL) {
        kv->queue_last->next = item;
    } else {
        kv->queue_first = item;
    }
    kv->queue_last = item;
    pthread_cond_signal(&kv->queue_filled);
    while (!item->is_done) {
        if (item->is_taken) {
            pthread_cond_wait(&item->done, &kv->queue_mutex);
        } else if (
            !task_condition_wait(&item->done, &kv->queue_mutex, item->deadline_ms) &&
            !item->is_taken && !item->is_done) {
            unlink_item(kv, item);
            return FAIL(TIMEOUT, "writer did not take the plan");
        }
    }
    return item->status;
}

static struct status run_dry(struct kv *kv, kv_plan_fn *plan, void *arg)
{
    struct kv_snapshot snapshot;
    kv_snapshot_enter(kv, &snapshot);
    struct kv_view view = {.seq = snapshot.seq + 1, .memory_max = kv->memory_max};
    kv_tree_edit_dry(&view.edit, snapshot.root);
    struct status status = kv_view_run(&view, plan, arg);
    kv_tree_edit_undo(&view.edit);
    kv_snapshot_leave(&snapshot);
    return status;
}

struct status
kv_apply(struct kv *kv, kv_plan_fn *plan, void *arg, int64_t deadline_ms, uint64_t *ret_seq)
{
    TRY(run_dry(kv, plan, arg));
    if (clock_monotonic_ms() >= deadline_ms) {
        return FAIL(TIMEOUT, "deadline of the plan");
    }
    struct kv_item item = {.plan = plan, .arg = arg, .deadline_ms = deadline_ms};
    task_condition_init(&item.done);
    struct status status = wait_for(kv, &item);
    pthread_cond_destroy(&item.done);
    if (status_ok(status) && ret_seq != NULL) {
        *ret_seq = item.seq;
    }
    return status;
}

/* Take up to KV_GROUP_MAX items, or NULL when it is time to end. */
static struct kv_item *take_items(struct kv *kv)
{
    LOCKED(&kv->queue_mutex);
    while (kv->queue_first == NULL && !kv->is_stopping) {
        pthread_cond_wait(&kv->queue_filled, &kv->queue_mutex);
    }
    struct kv_item *first = kv->queue_first;
    struct kv_item *last = NULL;
    size_t count = 0;
    for (struct kv_item *item = first; item != NULL && count < KV_GROUP_MAX; item = item->next) {
        item->is_taken = true;
        last = item;
        count++;
    }
    if (last != NULL) {
        kv->queue_first = last->next;
        if (last->next != NULL) {
            last->next->previous = NULL;
        } else {
            kv->queue_last = NULL;
        }
        last->next = NULL;
    }
    return first;
}

/* Wake the callers of [first, end) whose status is set. The items are gone afterwards. */
static void answer(struct kv *kv, struct kv_item *first, const struct kv_item *end)
{
    LOCKED(&kv->queue_mutex);
    for (struct kv_item *item = first; item != end;) {
        struct kv_item *next = item->next; /* On the stack of a caller that wakes now. */
        item->is_done = true;
        pthread_cond_signal(&item->done);
        item = next;
    }
}

static void run_item(struct kv *kv, struct group *group, struct kv_item *item)
{
    struct kv_view view = {
        .record = &kv->record, .seq = group->seq + 1, .memory_max = kv->memory_max};
    size_t mark = kv->record.size;
    kv_tree_edit_begin(&view.edit, &group->tree, kv->next_token++);
    item->status = kv_view_run(&view, item->plan, item->arg);
    if (!status_ok(item->status)) {
        kv_tree_edit_undo(&view.edit);
        kv->record.size = mark;
        kv->record.failed = STATUS_OK; /* What did not fit is forgotten with the plan. */
        return;
    }
    kv_tree_edit_keep(&view.edit);
    item->seq = view.seq;
    group->seq = view.seq;
    group->rows += (uint32_t)view.rows;
    group->plans++;
}

/* Make the group's changes durable. UNKNOWN: it may be there; FULL: it is not. */
static struct status commit(struct kv *kv, struct group *group)
{
    if (group->rows == 0) {
        return OK;
    }
    /* Memory first: after the append nothing may fail. */
    group->garbage = calloc(1, sizeof(*group->garbage));
    if (group->garbage == NULL) {
        return FAIL(NO_MEMORY, "commit");
    }
    kv->sealed_seq = group->seq;
    struct kv_log_link link = kv->link;
    TRY(kv_log_seal(kv->log_key, &kv->db, kv->fence, group->seq, group->rows, &kv->record, &link));
    struct status status = kv->store->methods->log_append(kv->store, buffer_bytes(&kv->record));
    if (!status_ok(status)) {
        return status.code == STATUS_FULL ? status : FAIL(UNKNOWN, "append to the log");
    }
    kv->link = link;
    return OK;
}

static void publish(struct kv *kv, struct group *group)
{
    struct kv_stats added = {
        .groups = group->rows > 0 ? 1 : 0,
        .plans = group->plans,
        .log_bytes = group->rows > 0 ? kv->record.size : 0,
    };
    if (group->garbage != NULL) {
        group->garbage->retired = group->tree.retired;
    }
    kv_snapshot_publish(kv, group->tree.root, group->garbage, &added);
}

static void fail_queue(struct kv *kv)
{
    LOCKED(&kv->queue_mutex);
    kv->is_failed = true;
    while (kv->queue_first != NULL) {
        struct kv_item *item = kv->queue_first;
        unlink_item(kv, item);
        item->status = FAIL(UNAVAILABLE, "the store failed");
        item->is_done = true;
        pthread_cond_signal(&item->done);
    }
}

/* Run plans from first on until the group is full; the first that is left for the next group. */
static struct kv_item *run_items(struct kv *kv, struct group *group, struct kv_item *first)
{
    struct kv_item *item = first;
    for (; item != NULL && kv->record.size < KV_PLAN_BYTES_MAX; item = item->next) {
        run_item(kv, group, item);
    }
    return item;
}

/* One group; false when the store failed for good. */
static bool run_group(struct kv *kv, struct kv_item **first)
{
    struct group group = {
        .tree = {.number = kv->next_group++, .next_id = &kv->next_id, .root = kv->root},
        .seq = kv->sealed_seq,
    };
    buffer_reset(&kv->record);
    kv_log_begin(&kv->record);
    CHECK(kv->record.size > 0);
    struct kv_item *end = run_items(kv, &group, *first);
    struct status status = commit(kv, &group);
    if (status_ok(status)) {
        if (group.plans > 0) {
            kv->sealed_seq = group.seq;
            publish(kv, &group);
        }
        answer(kv, *first, end);
        *first = end;
        return true;
    }
    free(group.garbage);
    kv_tree_group_undo(&group.tree);
    for (struct kv_item *item = *first; item != end; item = item->next) {
        item->status = status; /* An error of its own may rest on rows that never came to be. */
    }
    bool is_fatal = status.code == STATUS_UNKNOWN;
    if (is_fatal) {
        for (struct kv_item *item = end; item != NULL; item = item->next) {
            item->status = FAIL(UNAVAILABLE, "the store failed");
        }
        end = NULL;
        fail_queue(kv);
    }
    answer(kv, *first, end);
    *first = end;
    if (is_fatal && kv->on_fatal != NULL) {
        kv->on_fatal(kv->on_fatal_context, status);
    }
    return !is_fatal;
}

void kv_writer_run(void *context)
{
    struct kv *kv = context;
    bool is_alive = true;
    while (is_alive) {
        struct kv_item *item = take_items(kv);
        if (item == NULL) {
            return;
        }
        while (item != NULL && is_alive) {
            is_alive = run_group(kv, &item);
        }
    }
}
