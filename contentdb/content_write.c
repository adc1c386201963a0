#include "contentdb/content_write.h"

#include "contentdb/content_state.h"
#include "contentdb/plan_copy.h"
#include "contentdb/plan_delete.h"
#include "contentdb/plan_part.h"
#include "contentdb/plan_put.h"
#include "contentdb/plan_resolve.h"

enum { COMMIT_ITEMS_MAX = 64 };

/* In the order of the wire's CommitKind. */
static plan_fn *const plans[] = {
    [TRIAD__CONTENT__COMMIT_KIND__PUT] = plan_put_object,
    [TRIAD__CONTENT__COMMIT_KIND__COPY] = plan_copy_object,
    [TRIAD__CONTENT__COMMIT_KIND__DELETE] = plan_delete_object,
    [TRIAD__CONTENT__COMMIT_KIND__PART] = plan_part_put,
};

/* Tasks for the items that pass; the others have their outcome already. */
struct batch {
    struct content_service *service;
    struct rpc_call *call;
    struct commit *commits;
    struct plan_task *tasks;
    size_t *items; /* Index of a task's item. */
    size_t count;
};

static struct status
check_item(struct batch *batch, const Triad__Content__CommitItem *item, struct commit *commit)
{
    struct grant grant;
    unsigned rights = GRANT_WRITE;
    TRY(content_state_grant(
        batch->service, batch->call, item->grant, &item->bucket, rights, &grant));
    uint32_t last_account = (uint32_t)atomic_load(&batch->service->last_account);
    return commit_check(item, &grant, last_account, rpc_call_arena(batch->call), commit);
}

static Triad__Content__Outcome
add_item(struct batch *batch, const Triad__Content__CommitItem *item, size_t index)
{
    struct commit *commit = &batch->commits[batch->count];
    struct status status = check_item(batch, item, commit);
    if (!status_ok(status)) {
        return content_state_refused("Commit", status);
    }
    batch->tasks[batch->count] =
        (struct plan_task){.fn = plans[item->kind], .arg = commit, .name = commit->name};
    batch->items[batch->count] = index;
    batch->count++;
    return OUTCOME(NONE);
}

static struct status
new_batch(struct batch *batch, size_t count, Triad__Content__CommitReply *reply)
{
    struct arena *arena = rpc_call_arena(batch->call);
    batch->commits = arena_zalloc(arena, count + 1, sizeof(*batch->commits));
    batch->tasks = arena_zalloc(arena, count + 1, sizeof(*batch->tasks));
    batch->items = arena_zalloc(arena, count + 1, sizeof(*batch->items));
    reply->results = arena_zalloc(arena, count + 1, sizeof(*reply->results));
    if (batch->commits == NULL || batch->tasks == NULL || batch->items == NULL ||
        reply->results == NULL) {
        return FAIL(NO_MEMORY, "commit");
    }
    for (size_t i = 0; i < count; i++) {
        reply->results[i] = arena_alloc(arena, sizeof(*reply->results[i]));
        if (reply->results[i] == NULL) {
            return FAIL(NO_MEMORY, "commit");
        }
        triad__content__commit_result__init(reply->results[i]);
        reply->n_results++;
    }
    return OK;
}

struct status content_write_commit(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__CommitRequest *request = (const void *)message;
    Triad__Content__CommitReply *reply = (void *)answer;
    struct batch batch = {.service = context, .call = call};
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    if (request->n_items > COMMIT_ITEMS_MAX) {
        return FAIL(INVALID, "items of a commit");
    }
    TRY(new_batch(&batch, request->n_items, reply));
    for (size_t i = 0; i < request->n_items; i++) {
        reply->results[i]->outcome = add_item(&batch, request->items[i], i);
    }
    content_state_apply_all(context, call, batch.tasks, batch.count, reply->position);
    for (size_t i = 0; i < batch.count; i++) {
        Triad__Content__CommitResult *result = reply->results[batch.items[i]];
        result->outcome = batch.tasks[i].outcome;
        result->was_there = batch.commits[i].was_there;
        if (result->outcome == OUTCOME(DONE)) {
            uint64_t seq = batch.tasks[i].seq;
            result->seq = seq != 0 ? seq : batch.commits[i].done_seq;
        }
    }
    return OK;
}

static struct status check_resolve(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__ResolveRequest *request, struct plan_resolve *resolve)
{
    struct grant grant;
    TRY(content_state_grant(service, call, request->grant, &request->bucket, GRANT_WRITE, &grant));
    *resolve = (struct plan_resolve){.bucket = grant.bucket};
    if (request->version.len != 0) {
        TRY(commit_check_id16(request->version, &resolve->owner));
    }
    return commit_check_content(request->content, &resolve->content);
}

struct status content_write_resolve(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__ResolveRequest *request = (const void *)message;
    Triad__Content__ResolveReply *reply = (void *)answer;
    struct plan_resolve resolve;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = check_resolve(context, call, request, &resolve);
    if (!status_ok(status)) {
        reply->outcome = content_state_refused("Resolve", status);
        return OK;
    }
    uint64_t seq = 0;
    reply->outcome =
        content_state_apply(context, call, plan_resolve_commit, &resolve, reply->position, &seq);
    if (reply->outcome == OUTCOME(DONE) && seq != 0) {
        reply->outcome = OUTCOME(KILLED); /* The plan wrote: the killed row. */
    }
    reply->seq = reply->outcome == OUTCOME(DONE) ? resolve.seq : 0;
    return OK;
}
