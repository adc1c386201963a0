#include "frontend/object_put.h"

#include "frontend/body_source.h"
#include "frontend/object_commit.h"
#include "frontend/object_open.h"
#include "frontend/object_version.h"
#include "frontend/upload.h"

/* If-None-Match: * is the one condition on writes that S3 has had for long. */
static struct status check_conditions(struct frontend_call *call)
{
    const struct s3_conditions *conditions = &call->request->conditions;
    bool has_other = conditions->if_none_match.size > 0 &&
                     !bytes_equal(conditions->if_none_match, bytes_text("*"));
    if (conditions->if_match.size > 0 || has_other) {
        return frontend_refuse(
            call, S3_ERROR_NOT_IMPLEMENTED, FAIL(UNSUPPORTED, "conditions on a write"));
    }
    return OK;
}

static struct status respond(struct frontend_call *call, const uint8_t md5[16])
{
    char etag[OBJECT_ETAG_MAX];
    object_open_etag_text(md5, 0, etag);
    frontend_common_headers(call);
    http_response_header_printf(call->exchange->response, "etag", "\"%s\"", etag);
    return http_response_send(call->exchange->response, 200, bytes_of(NULL, 0));
}

/*
 * Nothing is visible before the commit at the end. Chunks that a failure leaves behind belong to
 * no manifest, and whoever sweeps after our lease finds them.
 */
struct status object_put(struct frontend_call *call)
{
    TRY(check_conditions(call));
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_GENERATE, NULL, &access));
    const struct key_authorize_result *proved = access->result;
    OWNED(body_source) struct body_source *source = NULL;
    TRY(body_source_open(call, access, &source));

    struct upload_options options = {
        .tenant = &access->bucket.tenant,
        .bucket = &access->bucket.bucket,
        .data = &proved->data,
        .object_key = proved->object_key,
        .size = body_source_size(source),
        .read = body_source_read,
        .context = source,
        .digest = body_source_digest(source),
    };
    OWNED(upload) struct upload *upload = NULL;
    TRY(upload_run(call, &options, &upload));
    uint8_t md5[16];
    TRY(body_source_finish(source, md5));

    struct object_commit commit = {
        .access = access,
        .key_ref = bytes_of(proved->key_ref, proved->key_ref_size),
        .upload = upload,
        .size = options.size,
        .data = &proved->data,
        .object_key = proved->object_key,
        .etag = md5,
        .if_absent = call->request->conditions.if_none_match.size > 0,
    };
    TRY(object_version_attributes(call, &commit.attributes, &commit.attribute_count));
    body_source_checksums(source, commit.attributes, &commit.attribute_count);
    TRY(object_commit_put(call, &commit));
    return respond(call, md5);
}
