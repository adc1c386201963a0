#include "frontend/frontend.h"

#include "lib/base/clock.h"

enum { COMMIT_MS_MIN = 500 };

struct status frontend_refuse(struct frontend_call *call, enum s3_error error, struct status status)
{
    call->error = error;
    return status;
}

enum s3_error frontend_error(const struct frontend_call *call, struct status status)
{
    if (call->error != S3_ERROR_NONE) {
        return call->error;
    }
    /* INVALID from inside is our fault; what clients do wrong was said with frontend_refuse. */
    if (status.code == STATUS_INVALID || status.code == STATUS_NOT_FOUND) {
        return S3_ERROR_INTERNAL_ERROR;
    }
    if (status.code == STATUS_UNAUTHENTICATED || status.code == STATUS_DENIED) {
        return S3_ERROR_SERVICE_UNAVAILABLE; /* A peer refused us, not the client. */
    }
    return s3_error_of_status(status.code);
}

void frontend_progress(struct frontend_call *call)
{
    call->answer_by_ms = clock_monotonic_ms() + (int64_t)call->frontend->settings->answer_timeout;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t frontend_deadline(const struct frontend_call *call)
{
    int64_t own = clock_monotonic_ms() + (int64_t)call->frontend->settings->call_timeout;
    return earlier(own, call->answer_by_ms);
}

int64_t frontend_commit_deadline(const struct frontend_call *call)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t own = now_ms + (int64_t)call->frontend->settings->commit_timeout;
    int64_t end = earlier(own, call->answer_by_ms - CONTENT_RESOLVE_MS);
    return end > now_ms + COMMIT_MS_MIN ? end : now_ms + COMMIT_MS_MIN;
}

int64_t frontend_upload_deadline(const struct frontend_call *call)
{
    return call->answer_by_ms - CONTENT_RESOLVE_MS - COMMIT_MS_MIN;
}

int64_t frontend_buffer_deadline(const struct frontend_call *call)
{
    int64_t own = clock_monotonic_ms() + (int64_t)call->frontend->settings->buffer_timeout;
    return earlier(own, call->answer_by_ms);
}

void frontend_common_headers(struct frontend_call *call)
{
    struct http_response *response = call->exchange->response;
    http_response_header_text(response, "x-amz-request-id", call->exchange->request_id);
    http_response_header_text(response, "x-amz-server-side-encryption", "AES256");
}

struct status frontend_respond_xml(struct frontend_call *call, const struct buffer *xml)
{
    TRY(buffer_status(xml));
    frontend_common_headers(call);
    http_response_header_text(call->exchange->response, "content-type", "application/xml");
    return http_response_send(call->exchange->response, 200, buffer_bytes(xml));
}

enum s3_error frontend_error_of_outcome(Triad__Content__Outcome outcome)
{
    switch (outcome) {
    case TRIAD__CONTENT__OUTCOME__DONE:
        return S3_ERROR_NONE;
    case TRIAD__CONTENT__OUTCOME__NOT_FOUND:
        return S3_ERROR_NO_SUCH_KEY;
    case TRIAD__CONTENT__OUTCOME__NO_SUCH_BUCKET:
        return S3_ERROR_NO_SUCH_BUCKET;
    case TRIAD__CONTENT__OUTCOME__EXISTS:
    case TRIAD__CONTENT__OUTCOME__PRECONDITION:
        return S3_ERROR_PRECONDITION_FAILED;
    case TRIAD__CONTENT__OUTCOME__NO_SUCH_UPLOAD:
        return S3_ERROR_NO_SUCH_UPLOAD;
    case TRIAD__CONTENT__OUTCOME__INVALID_PART:
        return S3_ERROR_INVALID_PART;
    case TRIAD__CONTENT__OUTCOME__INVALID_PART_ORDER:
        return S3_ERROR_INVALID_PART_ORDER;
    case TRIAD__CONTENT__OUTCOME__PART_TOO_SMALL:
        return S3_ERROR_ENTITY_TOO_SMALL;
    case TRIAD__CONTENT__OUTCOME__NOT_EMPTY:
        return S3_ERROR_BUCKET_NOT_EMPTY;
    case TRIAD__CONTENT__OUTCOME__CONDEMNED:
        return S3_ERROR_OPERATION_ABORTED;
    case TRIAD__CONTENT__OUTCOME__DENIED:
    case TRIAD__CONTENT__OUTCOME__LEASE_CLOSED:
    case TRIAD__CONTENT__OUTCOME__KILLED:
    case TRIAD__CONTENT__OUTCOME__UNKNOWN:
    case TRIAD__CONTENT__OUTCOME__UNAVAILABLE:
    case TRIAD__CONTENT__OUTCOME__FULL:
        return S3_ERROR_SERVICE_UNAVAILABLE;
    case TRIAD__CONTENT__OUTCOME__NONE:
    case TRIAD__CONTENT__OUTCOME__INVALID:
    case _TRIAD__CONTENT__OUTCOME_IS_INT_SIZE:
    default:
        return S3_ERROR_INTERNAL_ERROR;
    }
}

struct status frontend_outcome(struct frontend_call *call, Triad__Content__Outcome outcome)
{
    enum s3_error error = frontend_error_of_outcome(outcome);
    if (error == S3_ERROR_NONE) {
        return OK;
    }
    return frontend_refuse(call, error, FAIL(CONFLICT, "the content DB decided otherwise"));
}
