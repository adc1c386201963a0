#include "contentdb/plan_copy.h"

#include "contentdb/plan_put.h"

enum { SEGMENT_MAC_SIZE = 32 };

/* What data it is must be the source's; name, version and attributes are new. */
static bool is_same_data(const struct version_record *a, const struct version_record *b)
{
    return id16_equal(&a->data, &b->data) && a->size == b->size && a->chunks == b->chunks &&
           a->segments == b->segments &&
           memcmp(a->content.bytes, b->content.bytes, CONTENT_SIZE) == 0;
}

static struct status get_source(struct plan *plan, const struct commit *commit)
{
    struct plan_head source;
    TRY(plan_head_get(
        plan, &commit->bucket, commit_check_bytes(commit->item->source_key), &source));
    if (!source.is_there) {
        return plan_settle(plan, OUTCOME(NOT_FOUND));
    }
    if (!id16_equal(&source.record.version, &commit->source_version)) {
        return plan_settle(plan, OUTCOME(PRECONDITION));
    }
    return is_same_data(&source.record, &commit->record) ? OK : plan_settle(plan, OUTCOME(INVALID));
}

/* The new pages hold the same entries as the source's; only their MACs differ. */
static struct status check_segments(struct plan *plan, const struct commit *commit)
{
    const Triad__Content__CommitItem *item = commit->item;
    for (uint32_t i = 0; i < item->n_segment_pages; i++) {
        struct row_key key;
        struct bytes old;
        bool found = false;
        TRY(plan_get(plan, row_key_segments(&key, &commit->source_version, i), &old, &found));
        struct bytes page = commit_check_bytes(item->segment_pages[i]);
        if (!found || old.size != page.size ||
            memcmp(old.data, page.data, page.size - SEGMENT_MAC_SIZE) != 0) {
            return plan_settle(plan, OUTCOME(INVALID));
        }
    }
    return OK;
}

static struct status
check_segment(struct plan *plan, const struct segment_entry *segment, void *arg)
{
    (void)arg;
    return plan_head_check_condemned(plan, &segment->content);
}

static struct status
refer_segment(struct plan *plan, const struct segment_entry *segment, void *arg)
{
    const struct commit *commit = arg;
    return plan_head_refer(plan, &segment->content, &commit->version, &commit->bucket);
}

static struct status check_contents(struct plan *plan, struct commit *commit)
{
    if (commit->record.segments == 0) {
        return plan_head_check_condemned(plan, &commit->record.content);
    }
    TRY(check_segments(plan, commit));
    return plan_head_each_segment(plan, &commit->source_version, check_segment, commit);
}

/* Before the old head goes: it may be the source itself. */
static struct status refer(struct plan *plan, struct commit *commit)
{
    const Triad__Content__CommitItem *item = commit->item;
    if (commit->record.segments == 0) {
        return plan_head_refer(plan, &commit->record.content, &commit->version, &commit->bucket);
    }
    TRY(plan_head_each_segment(plan, &commit->source_version, refer_segment, commit));
    for (uint32_t i = 0; i < item->n_segment_pages; i++) {
        struct row_key key;
        TRY(plan_put(
            plan, row_key_segments(&key, &commit->version, i),
            commit_check_bytes(item->segment_pages[i])));
    }
    return OK;
}

struct status plan_copy_object(struct plan *plan, void *arg)
{
    struct commit *commit = arg;
    const Triad__Content__CommitItem *item = commit->item;
    struct plan_head old;
    TRY(plan_put_check(plan, commit));
    TRY(get_source(plan, commit));
    TRY(plan_head_get(plan, &commit->bucket, commit->name, &old));
    TRY(plan_head_check_conditions(
        plan, &old, item->if_absent, commit->has_if_version ? &commit->if_version : NULL));
    if (old.is_there && id16_equal(&old.record.version, &commit->version)) {
        return plan_settle(plan, OUTCOME(INVALID));
    }
    TRY(check_contents(plan, commit));

    commit->was_there = old.is_there;
    TRY(refer(plan, commit));
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
    /* The content10 of the copy itself has no fragments: its R row only says that it happened. */
    return plan_head_let_go(plan, &commit->content, &commit->owner, &commit->bucket);
}
