#include "contentdb/upload_sweep.h"

Triad__Content__Outcome upload_sweep_run(
    struct content_service *service, struct rpc_call *call, struct plan_abort *abort,
    Triad__Content__Position *position)
{
    Triad__Content__Outcome outcome = OUTCOME(DONE);
    do {
        outcome = content_state_apply(service, call, plan_abort_sweep, abort, position, NULL);
    } while (outcome == OUTCOME(DONE) && !abort->is_finished);
    return outcome;
}

/* The first upload of the bucket; name points into storage. */
static struct status find_upload(
    struct content_service *service, struct plan_buckets *bucket, struct row_key *storage,
    struct plan_abort *ret_abort, bool *ret_found)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    struct row_key prefix;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    row_key_prefix(&prefix, 'U', id16_view(&bucket->bucket));
    TRY(kv_cursor_seek(snapshot, row_key_bytes(&prefix), &cursor));
    struct bytes key;
    struct bytes value;
    struct status status = kv_cursor_next(cursor, &key, &value);
    *ret_found = false;
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    if (!bytes_starts_with(key, row_key_bytes(&prefix)) || key.size > sizeof(storage->data)) {
        return OK;
    }
    storage->size = key.size;
    memcpy(storage->data, key.data, key.size);
    *ret_abort =
        (struct plan_abort){.bucket = bucket->bucket, .tenant = bucket->tenant, .with_done = true};
    *ret_found = row_key_upload_parse(row_key_bytes(storage), &ret_abort->name, &ret_abort->upload);
    return *ret_found ? OK : FAIL(CORRUPT, "key of an upload");
}

struct status upload_sweep_bucket(
    struct content_service *service, struct rpc_call *call, struct plan_buckets *bucket,
    Triad__Content__Position *position)
{
    for (;;) {
        struct row_key storage;
        struct plan_abort abort;
        bool found = false;
        TRY(find_upload(service, bucket, &storage, &abort, &found));
        if (!found) {
            break;
        }
        /* NO_SUCH_UPLOAD: it was completed; its rows go too. */
        Triad__Content__Outcome marked =
            content_state_apply(service, call, plan_abort_force, &abort, position, NULL);
        if (marked != OUTCOME(DONE) && marked != OUTCOME(NO_SUCH_UPLOAD)) {
            return FAIL(UNAVAILABLE, "abort of an upload");
        }
        if (upload_sweep_run(service, call, &abort, position) != OUTCOME(DONE)) {
            return FAIL(UNAVAILABLE, "sweep of an upload");
        }
    }
    Triad__Content__Outcome outcome =
        content_state_apply(service, call, plan_buckets_finish, bucket, position, NULL);
    return outcome == OUTCOME(DONE) ? OK : FAIL(UNAVAILABLE, "rows of a bucket");
}
