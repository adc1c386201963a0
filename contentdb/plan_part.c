#include "contentdb/plan_part.h"

#include "contentdb/plan_put.h"

struct status plan_part_get_upload(
    struct plan *plan, const struct id16 *bucket, struct bytes name, const struct id16 *upload,
    struct row_upload *ret_row)
{
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_upload(&key, bucket, name, upload), &value, &found));
    return found ? rows_upload_decode(value, ret_row) : plan_settle(plan, OUTCOME(NO_SUCH_UPLOAD));
}

struct status plan_part_let_go(
    struct plan *plan, const struct id16 *bucket, const struct id16 *upload,
    const struct row_part *part)
{
    return plan_head_let_go(plan, &part->content, upload, bucket);
}

/* Open, and of the data that the pages name. */
static struct status check_upload(struct plan *plan, const struct commit *commit)
{
    struct row_upload upload;
    TRY(plan_part_get_upload(plan, &commit->bucket, commit->name, &commit->owner, &upload));
    if (upload.state != UPLOAD_OPEN) {
        return plan_settle(plan, OUTCOME(NO_SUCH_UPLOAD));
    }
    struct version_record record;
    TRY(version_record_decode(upload.record, &record));
    if (commit->item->n_pages > 0 && !id16_equal(&record.data, &commit->data)) {
        return plan_settle(plan, OUTCOME(INVALID));
    }
    return OK;
}

struct status plan_part_put(struct plan *plan, void *arg)
{
    struct commit *commit = arg;
    const Triad__Content__CommitItem *item = commit->item;
    TRY(plan_put_check(plan, commit));
    TRY(check_upload(plan, commit));
    TRY(plan_put_check_fresh(plan, commit));

    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_get(plan, row_key_part(&key, &commit->owner, item->part), &value, &found));
    if (found) {
        struct row_part old;
        TRY(rows_part_decode(value, &old));
        TRY(plan_part_let_go(plan, &commit->bucket, &commit->owner, &old));
    }
    commit->was_there = found;
    struct row_part part = {
        .content = commit->content,
        .size = item->part_size,
        .chunks = item->part_chunks,
        .modified_ms = plan->env->now_ms,
    };
    memcpy(part.etag, item->part_etag.data, sizeof(part.etag));
    BUFFER(row, KV_VALUE_MAX);
    rows_part_encode(&row, &part);
    TRY(plan_put_row(plan, row_key_bytes(&key), &row));
    TRY(plan_head_refer(plan, &commit->content, &commit->owner, &commit->bucket));
    return plan_put_pages(plan, commit);
}

struct status plan_part_create(struct plan *plan, void *arg)
{
    struct plan_part_upload *create = arg;
    struct row_key key;
    struct bytes value;
    bool found = false;
    TRY(plan_head_check_bucket(plan, &create->bucket, &create->tenant));
    TRY(plan_get(
        plan, row_key_upload(&key, &create->bucket, create->name, &create->upload), &value,
        &found));
    if (found) {
        struct row_upload old;
        TRY(rows_upload_decode(value, &old));
        bool is_same = old.state == UPLOAD_OPEN && bytes_equal(old.record, create->record);
        return plan_settle(plan, is_same ? OUTCOME(DONE) : OUTCOME(EXISTS));
    }
    const struct row_upload row = {
        .state = UPLOAD_OPEN,
        .created_ms = plan->env->now_ms,
        .record = create->record,
        .vmac = create->vmac,
        .key_ref = create->key_ref,
        .attributes = create->attributes,
    };
    BUFFER(encoded, KV_VALUE_MAX);
    rows_upload_encode(&encoded, &row);
    return plan_put_row(plan, row_key_bytes(&key), &encoded);
}
