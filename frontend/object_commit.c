#include "frontend/object_commit.h"

#include "frontend/object_version.h"

struct status object_commit_send(
    struct frontend_call *call, const Triad__Content__CommitItem *item,
    struct content_commit *ret_commit)
{
    struct content_commit commit = {.outcome = TRIAD__CONTENT__OUTCOME__NONE};
    TRY(content_client_commit(
        call->frontend->content, item, frontend_commit_deadline(call), &commit));
    if (commit.outcome == TRIAD__CONTENT__OUTCOME__LEASE_CLOSED &&
        item->content.len == CONTENT_SIZE) {
        struct content content;
        memcpy(content.bytes, item->content.data, CONTENT_SIZE);
        content_lease_lost(call->frontend->lease, &content);
    }
    if (ret_commit != NULL) {
        *ret_commit = commit;
    }
    return frontend_outcome(call, commit.outcome);
}

struct status object_commit_put(struct frontend_call *call, struct object_commit *commit)
{
    struct access *access = commit->access;
    struct object_version_options options = {
        .tenant = &access->bucket.tenant,
        .bucket = &access->bucket.bucket,
        .attribute_key = access->result->attribute_key,
        .object_key = commit->object_key,
        .data = commit->data,
        .key = call->request->target.key,
        .content = upload_content(commit->upload),
        .size = commit->size,
        .chunks = upload_chunks(commit->upload),
        .etag = commit->etag,
        .attributes = commit->attributes,
        .attribute_count = commit->attribute_count,
    };
    OBJECT_VERSION(version);
    TRY(object_version_make(&options, &version));

    Triad__Content__CommitItem item = TRIAD__CONTENT__COMMIT_ITEM__INIT;
    item.kind = TRIAD__CONTENT__COMMIT_KIND__PUT;
    TRY(access_grant(call, access, &item.grant));
    item.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    item.key = content_client_binary(call->request->target.key);
    item.version_record = content_client_binary(BYTES_ARRAY(version.encoded));
    item.vmac = content_client_binary(BYTES_ARRAY(version.vmac));
    item.key_ref = content_client_binary(commit->key_ref);
    item.attributes = content_client_binary(buffer_bytes(&version.attributes));
    item.version = content_client_binary(BYTES_ARRAY(version.version.bytes));
    item.if_absent = commit->if_absent;
    TRY(upload_describe(commit->upload, call->arena, &item));
    commit->created_ms = version.record.created_ms;
    return object_commit_send(call, &item, NULL);
}
