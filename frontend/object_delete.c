#include "frontend/object_delete.h"

#include "frontend/access.h"
#include "frontend/object_commit.h"
#include "frontend/s3_body.h"
#include "frontend/s3_xml.h"
#include "lib/s3/bucket_name.h"

enum { ANSWER_MAX = 8 * 1024 * 1024 };

/* Each delete is a commit with a number of its own. */
static struct status delete_one(struct frontend_call *call, struct access *access, struct bytes key)
{
    struct content content;
    TRY(content_lease_next(call->frontend->lease, &content));
    Triad__Content__CommitItem item = TRIAD__CONTENT__COMMIT_ITEM__INIT;
    item.kind = TRIAD__CONTENT__COMMIT_KIND__DELETE;
    TRY(access_grant(call, access, &item.grant));
    item.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    item.key = content_client_binary(key);
    item.content = content_client_binary(BYTES_ARRAY(content.bytes));
    struct status status = object_commit_send(call, &item, NULL);
    if (call->error == S3_ERROR_NO_SUCH_KEY) {
        call->error = S3_ERROR_NONE;
        return OK;
    }
    return status;
}

struct status object_delete(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    if ((call->request->target.subresources & SIGV4_SUB_VERSION_ID) != 0) {
        return frontend_refuse(
            call, S3_ERROR_NOT_IMPLEMENTED, FAIL(UNSUPPORTED, "delete of a version"));
    }
    TRY(delete_one(call, access, call->request->target.key));
    frontend_common_headers(call);
    return http_response_send(call->exchange->response, 204, bytes_of(NULL, 0));
}

static struct status read_keys(
    struct frontend_call *call, const struct s3_xml_delete_key_item **ret_items, size_t *ret_count,
    bool *ret_is_quiet)
{
    struct s3_body *body = NULL;
    BUFFER(xml, S3_XML_BODY_MAX);
    enum s3_error error = s3_body_open(call->request, call->exchange->body, call->arena, &body);
    if (error == S3_ERROR_NONE) {
        error = s3_body_read_all(body, &xml);
    }
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(INVALID, "body of DeleteObjects"));
    }
    frontend_progress(call);
    struct status status =
        s3_xml_parse_delete(buffer_bytes(&xml), call->arena, ret_items, ret_count, ret_is_quiet);
    if (!status_ok(status)) {
        return frontend_refuse(call, S3_ERROR_MALFORMED_XML, status);
    }
    return OK;
}

static struct status delete_item(
    struct frontend_call *call, struct access *access, const struct s3_xml_delete_key_item *item)
{
    if (item->version_id.size > 0) {
        return frontend_refuse(
            call, S3_ERROR_NOT_IMPLEMENTED, FAIL(UNSUPPORTED, "delete of a version"));
    }
    if (!bucket_name_key_is_valid(item->key)) {
        return frontend_refuse(call, S3_ERROR_KEY_TOO_LONG, FAIL(INVALID, "key"));
    }
    TRY(delete_one(call, access, item->key));
    frontend_progress(call);
    return OK;
}

/* Once the content DB does not answer, the other keys are not tried: each would take its time. */
static struct status delete_items(
    struct frontend_call *call, struct access *access, const struct s3_xml_delete_key_item *items,
    size_t count, bool is_quiet, struct buffer *xml)
{
    enum s3_error down = S3_ERROR_NONE;
    for (size_t i = 0; i < count; i++) {
        enum s3_error error = down;
        if (down == S3_ERROR_NONE) {
            struct status status = delete_item(call, access, &items[i]);
            error = status_ok(status) ? S3_ERROR_NONE : frontend_error(call, status);
            call->error = S3_ERROR_NONE;
            bool is_down = s3_error_http_status(error) == 503;
            if (is_down && i == 0) {
                return status;
            }
            down = is_down ? error : S3_ERROR_NONE;
        }
        if (error != S3_ERROR_NONE) {
            s3_xml_delete_key(xml, items[i].key, s3_error_code(error), s3_error_text(error));
        } else if (!is_quiet) {
            s3_xml_delete_key(xml, items[i].key, NULL, NULL);
        }
    }
    return OK;
}

struct status object_delete_many(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    const struct s3_xml_delete_key_item *items = NULL;
    size_t count = 0;
    bool is_quiet = false;
    TRY(read_keys(call, &items, &count, &is_quiet));

    BUFFER(xml, ANSWER_MAX);
    s3_xml_delete_begin(&xml);
    TRY(delete_items(call, access, items, count, is_quiet, &xml));
    s3_xml_delete_end(&xml);
    return frontend_respond_xml(call, &xml);
}
