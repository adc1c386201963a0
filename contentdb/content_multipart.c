#include "contentdb/content_multipart.h"

#include "contentdb/content_state.h"
#include "contentdb/plan_complete.h"
#include "contentdb/plan_part.h"
#include "contentdb/reply_bytes.h"
#include "contentdb/upload_lister.h"
#include "contentdb/upload_sweep.h"

enum { TRIMS_MAX = 8 };

/* ---------------------------------------------------------------- create, abort */

static struct status check_create(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__CreateUploadRequest *request, struct plan_part_upload *create)
{
    struct grant grant;
    struct version_record record;
    TRY(content_state_grant(service, call, request->grant, &request->bucket, GRANT_WRITE, &grant));
    *create = (struct plan_part_upload){
        .bucket = grant.bucket,
        .tenant = grant.tenant,
        .name = commit_check_bytes(request->key),
        .record = commit_check_bytes(request->version_record),
        .vmac = commit_check_bytes(request->vmac),
        .key_ref = commit_check_bytes(request->key_ref),
        .attributes = commit_check_bytes(request->attributes),
    };
    if (!row_key_is_name(create->name)) {
        return FAIL(INVALID, "name of the object");
    }
    if (!status_ok(version_record_decode(create->record, &record))) {
        return FAIL(INVALID, "version record");
    }
    create->upload = record.version;
    TRY(commit_check_record(
        create->record, create->vmac, create->key_ref, create->attributes, &grant, create->name,
        &create->upload, &record));
    unsigned flags = VERSION_OPEN_UPLOAD | VERSION_MULTIPART;
    static const struct content zero;
    bool is_empty = record.size == 0 && record.chunks == 0 && record.segments == 0 &&
                    memcmp(record.content.bytes, zero.bytes, CONTENT_SIZE) == 0;
    return (record.flags & flags) == flags && is_empty
               ? OK
               : FAIL(INVALID, "version record of an open upload");
}

struct status content_multipart_create(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__CreateUploadRequest *request = (const void *)message;
    Triad__Content__UploadReply *reply = (void *)answer;
    struct plan_part_upload create;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = check_create(context, call, request, &create);
    if (!status_ok(status)) {
        reply->outcome = content_state_refused("CreateUpload", status);
        return OK;
    }
    reply->outcome =
        content_state_apply(context, call, plan_part_create, &create, reply->position, &reply->seq);
    return OK;
}

static struct status check_abort(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__AbortUploadRequest *request, struct plan_abort *abort)
{
    struct grant grant;
    TRY(content_state_grant(service, call, request->grant, &request->bucket, GRANT_WRITE, &grant));
    *abort = (struct plan_abort){
        .bucket = grant.bucket,
        .tenant = grant.tenant,
        .name = commit_check_bytes(request->key),
    };
    if (!row_key_is_name(abort->name)) {
        return FAIL(INVALID, "name of the object");
    }
    return commit_check_id16(request->upload, &abort->upload);
}

struct status content_multipart_abort(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__AbortUploadRequest *request = (const void *)message;
    Triad__Content__UploadReply *reply = (void *)answer;
    struct plan_abort abort;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = check_abort(context, call, request, &abort);
    if (!status_ok(status)) {
        reply->outcome = content_state_refused("AbortUpload", status);
        return OK;
    }
    reply->outcome =
        content_state_apply(context, call, plan_abort_mark, &abort, reply->position, &reply->seq);
    if (reply->outcome == OUTCOME(DONE)) {
        reply->outcome = upload_sweep_run(context, call, &abort, reply->position);
    }
    return OK;
}

/* ---------------------------------------------------------------- complete */

static struct status copy_parts(
    struct arena *arena, const Triad__Content__CompleteUploadRequest *request,
    struct plan_complete *complete)
{
    struct plan_complete_part *parts =
        arena_zalloc(arena, request->n_parts + 1, sizeof(*complete->parts));
    if (parts == NULL) {
        return FAIL(NO_MEMORY, "parts of a complete");
    }
    for (size_t i = 0; i < request->n_parts; i++) {
        parts[i].part = request->parts[i]->part;
        if (i > 0 && parts[i].part <= parts[i - 1].part) {
            return FAIL(CONFLICT, "order of parts");
        }
        TRY(commit_check_content(request->parts[i]->content, &parts[i].content));
    }
    complete->parts = parts;
    complete->parts_count = request->n_parts;
    return OK;
}

static struct status check_complete(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__CompleteUploadRequest *request, struct plan_complete *complete)
{
    struct grant grant;
    TRY(content_state_grant(service, call, request->grant, &request->bucket, GRANT_WRITE, &grant));
    *complete = (struct plan_complete){
        .bucket = grant.bucket,
        .tenant = grant.tenant,
        .name = commit_check_bytes(request->key),
        .record = commit_check_bytes(request->version_record),
        .vmac = commit_check_bytes(request->vmac),
        .key_ref = commit_check_bytes(request->key_ref),
        .attributes = commit_check_bytes(request->attributes),
        .segment_pages = request->segment_pages,
        .segment_pages_count = request->n_segment_pages,
        .if_absent = request->if_absent != 0,
    };
    if (!row_key_is_name(complete->name)) {
        return FAIL(INVALID, "name of the object");
    }
    TRY(commit_check_id16(request->upload, &complete->upload));
    if (request->n_parts == 0 || request->n_parts > COMMIT_PART_MAX) {
        return FAIL(INVALID, "number of parts");
    }
    TRY(copy_parts(rpc_call_arena(call), request, complete));
    struct version_record *record = &complete->decoded;
    TRY(commit_check_record(
        complete->record, complete->vmac, complete->key_ref, complete->attributes, &grant,
        complete->name, &complete->upload, record));
    static const struct content zero;
    if ((record->flags & VERSION_OPEN_UPLOAD) != 0 || (record->flags & VERSION_MULTIPART) == 0 ||
        record->segments == 0 || memcmp(record->content.bytes, zero.bytes, CONTENT_SIZE) != 0) {
        return FAIL(INVALID, "version record of a multipart object");
    }
    return commit_check_segments(complete->segment_pages, complete->segment_pages_count, record);
}

static struct status answer_done(
    struct arena *arena, const struct plan_complete *complete, Triad__Content__UploadReply *reply)
{
    reply->row = arena_alloc(arena, sizeof(*reply->row));
    if (reply->row == NULL) {
        return FAIL(NO_MEMORY, "answer of a complete");
    }
    triad__content__object_row__init(reply->row);
    reply->seq = complete->done_seq;
    reply->row->seq = complete->done_seq;
    TRY(reply_bytes_copy(arena, complete->name, &reply->row->key));
    TRY(reply_bytes_copy(arena, BYTES_ARRAY(complete->done_record), &reply->row->version_record));
    TRY(reply_bytes_copy(arena, BYTES_ARRAY(complete->done_vmac), &reply->row->vmac));
    return reply_bytes_copy(
        arena, bytes_of(complete->done_key_ref, complete->done_key_ref_size), &reply->row->key_ref);
}

static struct status run_complete(
    struct content_service *service, struct rpc_call *call, struct plan_complete *complete,
    Triad__Content__UploadReply *reply)
{
    reply->outcome = content_state_apply(
        service, call, plan_complete_upload, complete, reply->position, &reply->seq);
    for (int i = 0; complete->must_trim && reply->outcome == OUTCOME(UNAVAILABLE); i++) {
        Triad__Content__Outcome trimmed =
            content_state_apply(service, call, plan_complete_trim, complete, reply->position, NULL);
        if (i == TRIMS_MAX || (trimmed != OUTCOME(DONE) && trimmed != OUTCOME(NOT_FOUND))) {
            return OK;
        }
        reply->outcome = content_state_apply(
            service, call, plan_complete_upload, complete, reply->position, &reply->seq);
    }
    if (reply->outcome == OUTCOME(DONE) && complete->was_done) {
        return answer_done(rpc_call_arena(call), complete, reply);
    }
    if (reply->outcome == OUTCOME(DONE) && complete->has_rest) {
        struct plan_abort rest = {
            .bucket = complete->bucket,
            .tenant = complete->tenant,
            .upload = complete->upload,
            .name = complete->name,
        };
        /* Rows that nobody reads: what a failure leaves goes with the U row. */
        IGNORE(upload_sweep_run(service, call, &rest, reply->position));
    }
    return OK;
}

struct status content_multipart_complete(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__CompleteUploadRequest *request = (const void *)message;
    Triad__Content__UploadReply *reply = (void *)answer;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct plan_complete *complete = arena_alloc(rpc_call_arena(call), sizeof(*complete));
    if (complete == NULL) {
        return FAIL(NO_MEMORY, "complete");
    }
    struct status status = check_complete(context, call, request, complete);
    if (status.code == STATUS_CONFLICT) {
        reply->outcome = OUTCOME(INVALID_PART_ORDER);
        return OK;
    }
    if (!status_ok(status)) {
        reply->outcome = content_state_refused("CompleteUpload", status);
        return OK;
    }
    return run_complete(context, call, complete, reply);
}

/* ---------------------------------------------------------------- lists */

static struct status copy_row(
    struct arena *arena, struct bytes name, const struct row_upload *upload,
    Triad__Content__ObjectRow **ret_row)
{
    bool is_done = upload->state == UPLOAD_DONE;
    Triad__Content__ObjectRow *row = arena_alloc(arena, sizeof(*row));
    if (row == NULL) {
        return FAIL(NO_MEMORY, "row of an upload");
    }
    triad__content__object_row__init(row);
    row->seq = upload->done_seq;
    TRY(reply_bytes_copy(arena, name, &row->key));
    TRY(reply_bytes_copy(
        arena, is_done ? upload->done_record : upload->record, &row->version_record));
    TRY(reply_bytes_copy(arena, is_done ? upload->done_vmac : upload->vmac, &row->vmac));
    TRY(reply_bytes_copy(arena, upload->key_ref, &row->key_ref));
    TRY(reply_bytes_copy(arena, upload->attributes, &row->attributes));
    *ret_row = row;
    return OK;
}

static struct status list_parts(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__ListPartsRequest *request, Triad__Content__ListPartsReply *reply)
{
    struct grant grant;
    struct id16 upload;
    struct row_key key;
    struct bytes value;
    struct bytes name = commit_check_bytes(request->key);
    TRY(content_state_grant(
        service, call, request->grant, &request->bucket, GRANT_READ | GRANT_WRITE, &grant));
    TRY(commit_check_id16(request->upload, &upload));
    if (!row_key_is_name(name)) {
        return FAIL(INVALID, "name of the object");
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    reply->outcome = OUTCOME(NO_SUCH_UPLOAD);
    struct status status =
        kv_snapshot_get(snapshot, row_key_upload(&key, &grant.bucket, name, &upload), &value);
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    struct row_upload row;
    TRY(rows_upload_decode(value, &row));
    if (row.state == UPLOAD_ABORTING) {
        return OK;
    }
    TRY(copy_row(rpc_call_arena(call), name, &row, &reply->upload));
    if (row.state == UPLOAD_DONE) {
        return OK; /* With the version that it became, for a Complete that is asked again. */
    }
    reply->outcome = OUTCOME(DONE);
    return upload_lister_parts(
        snapshot, &upload, request->after, request->limit, rpc_call_arena(call), reply);
}

struct status content_multipart_list_parts(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__ListPartsRequest *request = (const void *)message;
    Triad__Content__ListPartsReply *reply = (void *)answer;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = list_parts(context, call, request, reply);
    if (!status_ok(status)) {
        reply->n_parts = 0;
        reply->upload = NULL;
        reply->outcome = content_state_refused("ListParts", status);
    }
    return OK;
}

static struct status list_uploads(
    struct content_service *service, struct rpc_call *call,
    const Triad__Content__ListUploadsRequest *request, Triad__Content__ListUploadsReply *reply)
{
    struct grant grant;
    TRY(content_state_grant(
        service, call, request->grant, &request->bucket, GRANT_READ | GRANT_WRITE, &grant));
    struct upload_listing listing = {
        .bucket = grant.bucket,
        .prefix = commit_check_bytes(request->prefix),
        .after_key = commit_check_bytes(request->after_key),
        .has_after_upload = request->after_upload.len != 0,
        .limit = request->limit < UPLOAD_LIST_MAX ? request->limit : UPLOAD_LIST_MAX,
    };
    if (listing.has_after_upload) {
        TRY(commit_check_id16(request->after_upload, &listing.after_upload));
    }
    if (listing.limit == 0 || listing.prefix.size > ROW_NAME_MAX ||
        listing.after_key.size > ROW_NAME_MAX) {
        return FAIL(INVALID, "limit, prefix or after of a listing");
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    TRY(kv_snapshot_take(service->options.kv, &snapshot));
    reply->outcome = OUTCOME(DONE);
    return upload_lister_uploads(snapshot, &listing, rpc_call_arena(call), reply);
}

struct status content_multipart_list_uploads(
    void *context, struct rpc_call *call, const ProtobufCMessage *message, ProtobufCMessage *answer)
{
    const Triad__Content__ListUploadsRequest *request = (const void *)message;
    Triad__Content__ListUploadsReply *reply = (void *)answer;
    TRY(content_state_begin(context, call, request->seen, &reply->position));
    struct status status = list_uploads(context, call, request, reply);
    if (!status_ok(status)) {
        reply->n_uploads = 0;
        reply->outcome = content_state_refused("ListUploads", status);
    }
    return OK;
}
