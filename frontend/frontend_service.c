#include "frontend/frontend_service.h"

#include "frontend/bucket_ops.h"
#include "frontend/frontend_metrics.h"
#include "frontend/multipart.h"
#include "frontend/multipart_complete.h"
#include "frontend/multipart_part.h"
#include "frontend/object_copy.h"
#include "frontend/object_delete.h"
#include "frontend/object_get.h"
#include "frontend/object_list.h"
#include "frontend/object_put.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"

static struct status dispatch(struct frontend_call *call)
{
    switch (call->request->operation) {
    case S3_LIST_BUCKETS:
        return bucket_ops_list(call);
    case S3_CREATE_BUCKET:
        return bucket_ops_create(call);
    case S3_HEAD_BUCKET:
        return bucket_ops_head(call);
    case S3_DELETE_BUCKET:
        return bucket_ops_delete(call);
    case S3_GET_BUCKET_LOCATION:
        return bucket_ops_location(call);
    case S3_GET_BUCKET_VERSIONING:
        return bucket_ops_versioning(call);
    case S3_LIST_OBJECTS:
    case S3_LIST_OBJECTS_V2:
        return object_list(call);
    case S3_LIST_MULTIPART_UPLOADS:
        return multipart_list_uploads(call);
    case S3_DELETE_OBJECTS:
        return object_delete_many(call);
    case S3_PUT_OBJECT:
        return object_put(call);
    case S3_COPY_OBJECT:
        return object_copy(call);
    case S3_GET_OBJECT:
    case S3_HEAD_OBJECT:
        return object_get(call);
    case S3_DELETE_OBJECT:
        return object_delete(call);
    case S3_CREATE_MULTIPART_UPLOAD:
        return multipart_create(call);
    case S3_UPLOAD_PART:
        return multipart_part(call);
    case S3_UPLOAD_PART_COPY:
        return multipart_part_copy(call);
    case S3_COMPLETE_MULTIPART_UPLOAD:
        return multipart_complete(call);
    case S3_ABORT_MULTIPART_UPLOAD:
        return multipart_abort(call);
    case S3_LIST_PARTS:
        return multipart_list_parts(call);
    case S3_NOT_IMPLEMENTED:
    default:
        return frontend_refuse(call, S3_ERROR_NOT_IMPLEMENTED, FAIL(UNSUPPORTED, "operation"));
    }
}

static void
log_access(const struct frontend_call *call, struct status status, enum s3_operation operation)
{
    const struct http_exchange *exchange = call->exchange;
    unsigned answered = http_response_status(exchange->response);
    int64_t duration_ms = clock_monotonic_ms() - exchange->started_ms;
    frontend_metrics_count(
        operation,
        status_ok(status) || !http_response_is_started(exchange->response) || answered >= 300
            ? answered
            : 0);
    /* Names are the client's secret: the bucket by its id, the key not at all. */
    log_event(
        status_ok(status) ? LOG_DEBUG : LOG_INFO, "request",
        LOG_TEXT("operation", s3_operation_name(operation)), LOG_INT("http", answered),
        LOG_INT("ms", duration_ms), LOG_HEX("bucket", BYTES_ARRAY(call->bucket.bytes)),
        LOG_INT("sent", http_response_sent(exchange->response)), LOG_TEXT("peer", exchange->peer),
        LOG_STATUS(status));
}

void frontend_service_handle(void *context, struct http_exchange *exchange)
{
    struct frontend *frontend = context;
    struct frontend_call call = {
        .frontend = frontend, .exchange = exchange, .arena = exchange->arena};
    log_set_request(exchange->request_id);
    arena_wipe(exchange->arena); /* Attributes and signatures pass through it. */
    struct s3_request *request = NULL;
    const char *why = NULL;
    enum s3_error error = s3_request_parse(
        exchange->request, bytes_text(frontend->settings->domain), exchange->arena, &request, &why);
    struct status status = OK;
    if (error != S3_ERROR_NONE) {
        status = FAIL(INVALID, "the request cannot be read as S3");
        log_event(LOG_INFO, "request refused", LOG_TEXT("why", why != NULL ? why : "-"));
        s3_error_respond(exchange, error);
    } else {
        call.request = request;
        frontend_progress(&call);
        status = dispatch(&call);
        if (!status_ok(status)) {
            s3_error_respond(exchange, frontend_error(&call, status));
        }
    }
    log_access(&call, status, request != NULL ? request->operation : S3_NOT_IMPLEMENTED);
    metric_set(&frontend_metrics_buffers, chunk_pool_used(frontend->pool));
    log_set_request("");
}
