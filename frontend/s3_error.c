#include "frontend/s3_error.h"

#include "frontend/s3_xml.h"

static const struct {
    unsigned http_status;
    const char *code;
    const char *text;
} TABLE[] = {
#define X(name, http_status, code, text) [S3_ERROR_##name] = {http_status, code, text},
    S3_ERRORS(X)
#undef X
};

unsigned s3_error_http_status(enum s3_error error)
{
    return TABLE[error].http_status;
}

const char *s3_error_code(enum s3_error error)
{
    return TABLE[error].code;
}

const char *s3_error_text(enum s3_error error)
{
    return TABLE[error].text;
}

enum s3_error s3_error_of_status(enum status_code code)
{
    switch (code) {
    case STATUS_OK:
        return S3_ERROR_NONE;
    case STATUS_INVALID:
        return S3_ERROR_INVALID_REQUEST;
    case STATUS_UNAUTHENTICATED:
    case STATUS_DENIED:
        return S3_ERROR_ACCESS_DENIED;
    case STATUS_NOT_FOUND:
        return S3_ERROR_NO_SUCH_KEY;
    case STATUS_EXISTS:
        return S3_ERROR_BUCKET_ALREADY_EXISTS;
    case STATUS_CONFLICT:
        return S3_ERROR_CONDITIONAL_CONFLICT;
    case STATUS_TOO_LARGE:
        return S3_ERROR_ENTITY_TOO_LARGE;
    case STATUS_RANGE:
        return S3_ERROR_INVALID_RANGE;
    case STATUS_BUSY:
        return S3_ERROR_SLOW_DOWN;
    case STATUS_UNSUPPORTED:
        return S3_ERROR_NOT_IMPLEMENTED;
    case STATUS_STALE:
    case STATUS_FULL:
    case STATUS_UNAVAILABLE:
    case STATUS_TIMEOUT:
    case STATUS_CANCELLED:
    case STATUS_UNKNOWN:
    case STATUS_NO_MEMORY:
        return S3_ERROR_SERVICE_UNAVAILABLE;
    case STATUS_CORRUPT:
    case STATUS_IO:
    case STATUS_INTERNAL:
    default:
        return S3_ERROR_INTERNAL_ERROR;
    }
}

void s3_error_write(
    struct buffer *xml, enum s3_error error, struct bytes resource, const char *request_id)
{
    buffer_add_text(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>");
    buffer_add_text(xml, s3_error_code(error));
    buffer_add_text(xml, "</Code><Message>");
    s3_xml_escape(xml, bytes_text(s3_error_text(error)));
    buffer_add_text(xml, "</Message><Resource>");
    s3_xml_escape(xml, resource);
    buffer_add_text(xml, "</Resource><RequestId>");
    buffer_add_text(xml, request_id);
    buffer_add_text(xml, "</RequestId></Error>");
}

static void send_error(
    struct http_response *response, enum s3_error error, struct bytes resource,
    const char *request_id)
{
    enum { ERROR_MAX = 64 * 1024 };
    BUFFER(xml, ERROR_MAX);
    s3_error_write(&xml, error, resource, request_id);
    http_response_header_text(response, "x-amz-request-id", request_id);
    if (error == S3_ERROR_SLOW_DOWN || error == S3_ERROR_SERVICE_UNAVAILABLE) {
        http_response_header_text(response, "Retry-After", "1");
    }
    if (error != S3_ERROR_NOT_MODIFIED) {
        http_response_header_text(response, "Content-Type", "application/xml");
    }
    /* If the client is gone there is nobody to tell, and the response is aborted. */
    IGNORE(http_response_send(response, s3_error_http_status(error), buffer_bytes(&xml)));
}

void s3_error_respond(struct http_exchange *exchange, enum s3_error error)
{
    struct http_response *response = exchange->response;
    if (http_response_is_started(response)) {
        http_response_abort(response);
        return;
    }
    http_response_reset(response);
    send_error(response, error, exchange->request->path, exchange->request_id);
}

static enum s3_error error_of_refusal(unsigned http_status)
{
    switch (http_status) {
    case 408:
        return S3_ERROR_REQUEST_TIMEOUT;
    case 501:
        return S3_ERROR_NOT_IMPLEMENTED;
    case 503:
        return S3_ERROR_SLOW_DOWN;
    default:
        return S3_ERROR_INVALID_REQUEST;
    }
}

/* The HTTP status stays what it is: S3 has no code of its own for most of these. */
void s3_error_refuse(
    void *context, struct http_response *response, unsigned http_status, const char *request_id)
{
    (void)context;
    BUFFER(xml, 4096);
    s3_error_write(&xml, error_of_refusal(http_status), bytes_text(""), request_id);
    http_response_header_text(response, "x-amz-request-id", request_id);
    http_response_header_text(response, "Content-Type", "application/xml");
    IGNORE(http_response_send(response, http_status, buffer_bytes(&xml)));
}
