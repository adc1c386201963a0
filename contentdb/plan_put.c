#include "contentdb/plan_put.h"

struct status plan_put_check(struct plan *plan, struct commit *commit)
{
    commit->was_there = false;
    commit->done_seq = 0;
    TRY(plan_head_check_bucket(plan, &commit->bucket, &commit->tenant));
    TRY(plan_head_check_reference(
        plan, &commit->content, &commit->owner, &commit->bucket, &commit->done_seq));
    TRY(plan_head_check_lease(plan, &commit->content));
    return plan_head_check_condemned(plan, &commit->content);
}

struct status plan_put_check_fresh(struct plan *plan, const struct commit *commit)
{
    struct row_key key;
    struct bytes first_key;
    struct bytes value;
    bool found = false;
    struct bytes prefix = row_key_prefix(&key, 'R', BYTES_ARRAY(commit->content.bytes));
    TRY(plan_seek(plan, prefix, prefix, &first_key, &value, &found));
    return found ? plan_settle(plan, OUTCOME(INVALID)) : OK;
}

static struct status
put_repair(struct plan *plan, const struct commit *commit, const struct commit_repair *repair)
{
    struct row_key key;
    const struct row_stamp stamp = {.bucket = commit->bucket, .since_ms = plan->env->now_ms};
    BUFFER(value, KV_VALUE_MAX);
    rows_stamp_encode(&value, &stamp);
    return plan_put_row(
        plan, row_key_repair(&key, repair->priority, &commit->content, repair->page, repair->chunk),
        &value);
}

struct status plan_put_pages(struct plan *plan, const struct commit *commit)
{
    const Triad__Content__CommitItem *item = commit->item;
    for (uint32_t i = 0; i < item->n_pages; i++) {
        struct row_key key;
        TRY(plan_put(
            plan, row_key_manifest(&key, &commit->content, i),
            commit_check_bytes(item->pages[i]->manifest)));
        TRY(plan_put(
            plan, row_key_placement(&key, &commit->content, i),
            commit_check_bytes(item->pages[i]->placement)));
    }
    for (size_t i = 0; i < commit->repairs_count; i++) {
        TRY(put_repair(plan, commit, &commit->repairs[i]));
    }
    return OK;
}

struct status plan_put_object(struct plan *plan, void *arg)
{
    struct commit *commit = arg;
    const Triad__Content__CommitItem *item = commit->item;
    struct plan_head old;
    TRY(plan_put_check(plan, commit));
    TRY(plan_put_check_fresh(plan, commit));
    TRY(plan_head_get(plan, &commit->bucket, commit->name, &old));
    TRY(plan_head_check_conditions(
        plan, &old, item->if_absent, commit->has_if_version ? &commit->if_version : NULL));

    commit->was_there = old.is_there;
    const struct plan_head_new new_head = {
        .bucket = &commit->bucket,
        .name = commit->name,
        .record = commit_check_bytes(item->version_record),
        .decoded = &commit->record,
        .vmac = commit_check_bytes(item->vmac),
        .key_ref = commit_check_bytes(item->key_ref),
        .attributes = commit_check_bytes(item->attributes),
    };
    TRY(plan_head_replace(plan, &old, &new_head));
    TRY(plan_head_refer(plan, &commit->content, &commit->owner, &commit->bucket));
    return plan_put_pages(plan, commit);
}
