#include "frontend/bucket_ops.h"

#include "frontend/access.h"
#include "frontend/s3_body.h"
#include "frontend/s3_xml.h"
#include "lib/s3/bucket_name.h"
#include "lib/telemetry/log.h"

enum { ANSWER_MAX = 4 * 1024 * 1024, CREATE_BODY_MAX = 64 * 1024 };

struct status bucket_ops_list(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    Triad__Content__ListBucketsRequest request = TRIAD__CONTENT__LIST_BUCKETS_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__ListBucketsReply *listed = NULL;
    TRY(content_client_list_buckets(
        call->frontend->content, &request, frontend_deadline(call), &reply, &listed));
    TRY(frontend_outcome(call, listed->outcome));
    struct s3_xml_bucket *buckets =
        arena_zalloc(call->arena, listed->n_buckets + 1, sizeof(*buckets));
    if (buckets == NULL) {
        return FAIL(NO_MEMORY, "buckets");
    }
    for (size_t i = 0; i < listed->n_buckets; i++) {
        buckets[i] = (struct s3_xml_bucket){
            .name = bytes_text(listed->buckets[i]->name),
            .created_ms = (int64_t)listed->buckets[i]->created_ms};
    }
    BUFFER(xml, ANSWER_MAX);
    s3_xml_list_buckets(&xml, bytes_text(access->result->principal), buckets, listed->n_buckets);
    return frontend_respond_xml(call, &xml);
}

/* The body names a region at most; we have one, and take any name for it. */
static struct status read_configuration(struct frontend_call *call)
{
    struct s3_body *body = NULL;
    BUFFER(xml, CREATE_BODY_MAX);
    enum s3_error error = s3_body_open(call->request, call->exchange->body, call->arena, &body);
    if (error == S3_ERROR_NONE) {
        error = s3_body_read_all(body, &xml);
    }
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(INVALID, "body of CreateBucket"));
    }
    frontend_progress(call);
    struct bytes location;
    struct status status = s3_xml_parse_create_bucket(buffer_bytes(&xml), call->arena, &location);
    return status_ok(status) ? OK : frontend_refuse(call, S3_ERROR_MALFORMED_XML, status);
}

/* The name is taken: by us, perhaps by a request of ours whose end got lost, or by another. */
static struct status create_again(struct frontend_call *call, const struct content_bucket *bucket)
{
    OWNED(access) struct access *access = NULL;
    struct status status = access_prove_found(call, bucket, KEY_CREATE_BUCKET, &access);
    if (call->error == S3_ERROR_NO_SUCH_BUCKET || call->error == S3_ERROR_ACCESS_DENIED) {
        return frontend_refuse(call, S3_ERROR_BUCKET_ALREADY_EXISTS, status);
    }
    TRY(status);
    const struct key_authorize_result *result = access->result;
    TRY(key_client_activate_bucket(
        call->frontend->keys, bytes_of(result->handle, result->handle_size), &bucket->bucket,
        frontend_deadline(call)));
    return frontend_refuse(
        call, S3_ERROR_BUCKET_ALREADY_OWNED, FAIL(EXISTS, "the tenant has that bucket"));
}

static struct status take_name(struct frontend_call *call, struct access *access)
{
    const struct key_authorize_result *result = access->result;
    struct bytes handle = bytes_of(result->handle, result->handle_size);
    Triad__Content__CreateBucketRequest request = TRIAD__CONTENT__CREATE_BUCKET_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    char name[BUCKET_NAME_MAX + 1] = {0};
    memcpy(name, call->request->target.bucket.data, call->request->target.bucket.size);
    request.name = name;
    struct content_bucket_answer answer = {.outcome = TRIAD__CONTENT__OUTCOME__NONE};
    TRY(content_client_create_bucket(
        call->frontend->content, &request, frontend_deadline(call), &answer));
    if (answer.outcome == TRIAD__CONTENT__OUTCOME__EXISTS) {
        /* Somebody was faster: the keys drawn for it are of no use. */
        IGNORE(key_client_drop_bucket(
            call->frontend->keys, handle, &result->bucket, frontend_deadline(call)));
        bool is_ours = id16_equal(&answer.tenant, &result->tenant);
        return frontend_refuse(
            call, is_ours ? S3_ERROR_BUCKET_ALREADY_OWNED : S3_ERROR_BUCKET_ALREADY_EXISTS,
            FAIL(EXISTS, "bucket name"));
    }
    TRY(frontend_outcome(call, answer.outcome));
    return key_client_activate_bucket(
        call->frontend->keys, handle, &result->bucket, frontend_deadline(call));
}

struct status bucket_ops_create(struct frontend_call *call)
{
    struct bytes name = call->request->target.bucket;
    struct content_bucket bucket = {.is_found = false};
    TRY(access_resolve(call, name, &bucket));
    if (bucket.is_found) {
        return create_again(call, &bucket);
    }
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_CREATE_BUCKET, NULL, &access));
    call->bucket = access->result->bucket;
    TRY(read_configuration(call));
    TRY(take_name(call, access));
    frontend_common_headers(call);
    http_response_header_printf(
        call->exchange->response, "location", "/%.*s", (int)name.size, (const char *)name.data);
    return http_response_send(call->exchange->response, 200, bytes_of(NULL, 0));
}

struct status bucket_ops_head(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    frontend_common_headers(call);
    http_response_header_text(
        call->exchange->response, "x-amz-bucket-region", call->frontend->settings->region);
    return http_response_send(call->exchange->response, 200, bytes_of(NULL, 0));
}

struct status bucket_ops_delete(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    struct bytes bucket_name = call->request->target.bucket;
    Triad__Content__DeleteBucketRequest request = TRIAD__CONTENT__DELETE_BUCKET_REQUEST__INIT;
    TRY(access_grant(call, access, &request.grant));
    char name[BUCKET_NAME_MAX + 1] = {0};
    memcpy(name, bucket_name.data, bucket_name.size);
    request.name = name;
    struct content_bucket_answer answer = {.outcome = TRIAD__CONTENT__OUTCOME__NONE};
    TRY(content_client_delete_bucket(
        call->frontend->content, &request, frontend_deadline(call), &answer));
    TRY(frontend_outcome(call, answer.outcome));
    access_forget(call, bucket_name, &access->bucket.bucket);
    const struct key_authorize_result *result = access->result;
    struct status status = key_client_drop_bucket(
        call->frontend->keys, bytes_of(result->handle, result->handle_size), &access->bucket.bucket,
        frontend_deadline(call));
    if (!status_ok(status)) { /* The bucket is gone all the same; its keys open nothing. */
        log_event(LOG_WARN, "keys of a deleted bucket not dropped", LOG_STATUS(status));
    }
    frontend_common_headers(call);
    return http_response_send(call->exchange->response, 204, bytes_of(NULL, 0));
}

struct status bucket_ops_location(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    BUFFER(xml, ANSWER_MAX);
    s3_xml_location(&xml, bytes_text(call->frontend->settings->region));
    return frontend_respond_xml(call, &xml);
}

struct status bucket_ops_versioning(struct frontend_call *call)
{
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_PROVE, NULL, &access));
    BUFFER(xml, ANSWER_MAX);
    s3_xml_versioning(&xml);
    return frontend_respond_xml(call, &xml);
}
