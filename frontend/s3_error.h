#pragma once

/* S3's error codes: HTTP status, name, text; and the XML that carries them. */

#include "frontend/http_server.h"

#define S3_ERRORS(X)                                                                               \
    X(NONE, 200, "None", "no error")                                                               \
    X(ACCESS_DENIED, 403, "AccessDenied", "Access Denied")                                         \
    X(AUTHORIZATION_HEADER_MALFORMED, 400, "AuthorizationHeaderMalformed",                         \
      "The authorization header that you provided is not valid.")                                  \
    X(AUTHORIZATION_QUERY_PARAMETERS, 400, "AuthorizationQueryParametersError",                    \
      "The authorization query parameters that you provided are not valid.")                       \
    X(BAD_DIGEST, 400, "BadDigest",                                                                \
      "The Content-MD5 or checksum value that you specified did not match what the server "        \
      "received.")                                                                                 \
    X(BUCKET_ALREADY_EXISTS, 409, "BucketAlreadyExists",                                           \
      "The requested bucket name is not available.")                                               \
    X(BUCKET_ALREADY_OWNED, 409, "BucketAlreadyOwnedByYou",                                        \
      "Your previous request to create the named bucket succeeded and you already own it.")        \
    X(BUCKET_NOT_EMPTY, 409, "BucketNotEmpty", "The bucket you tried to delete is not empty.")     \
    X(CONDITIONAL_CONFLICT, 409, "ConditionalRequestConflict",                                     \
      "A conflicting operation occurred during the request; retry it.")                            \
    X(ENTITY_TOO_LARGE, 400, "EntityTooLarge",                                                     \
      "Your proposed upload exceeds the maximum allowed object size.")                             \
    X(ENTITY_TOO_SMALL, 400, "EntityTooSmall",                                                     \
      "Your proposed upload is smaller than the minimum allowed object size.")                     \
    X(EXPIRED_TOKEN, 400, "ExpiredToken", "The provided token has expired.")                       \
    X(ILLEGAL_LOCATION, 400, "IllegalLocationConstraintException",                                 \
      "The specified location constraint is not valid.")                                           \
    X(INCOMPLETE_BODY, 400, "IncompleteBody",                                                      \
      "You did not provide the number of bytes specified by the Content-Length HTTP header.")      \
    X(INTERNAL_ERROR, 500, "InternalError", "We encountered an internal error. Please try again.") \
    X(INVALID_ACCESS_KEY, 403, "InvalidAccessKeyId",                                               \
      "The access key id you provided does not exist in our records.")                             \
    X(INVALID_ARGUMENT, 400, "InvalidArgument", "Invalid Argument")                                \
    X(INVALID_BUCKET_NAME, 400, "InvalidBucketName", "The specified bucket is not valid.")         \
    X(INVALID_DIGEST, 400, "InvalidDigest", "The Content-MD5 you specified is not valid.")         \
    X(INVALID_PART, 400, "InvalidPart",                                                            \
      "One or more of the specified parts could not be found, or its entity tag did not match.")   \
    X(INVALID_PART_ORDER, 400, "InvalidPartOrder",                                                 \
      "The list of parts was not in ascending order.")                                             \
    X(INVALID_RANGE, 416, "InvalidRange", "The requested range is not satisfiable.")               \
    X(INVALID_REQUEST, 400, "InvalidRequest", "Invalid Request")                                   \
    X(INVALID_URI, 400, "InvalidURI", "Could not parse the specified URI.")                        \
    X(KEY_TOO_LONG, 400, "KeyTooLongError", "Your key is too long.")                               \
    X(MALFORMED_TRAILER, 400, "MalformedTrailerError",                                             \
      "The request contained trailing data that was not well-formed or not announced.")            \
    X(MALFORMED_XML, 400, "MalformedXML",                                                          \
      "The XML you provided was not well-formed or did not validate against our published "        \
      "schema.")                                                                                   \
    X(METADATA_TOO_LARGE, 400, "MetadataTooLarge",                                                 \
      "Your metadata headers exceed the maximum allowed metadata size.")                           \
    X(METHOD_NOT_ALLOWED, 405, "MethodNotAllowed",                                                 \
      "The specified method is not allowed against this resource.")                                \
    X(MISSING_CONTENT_LENGTH, 411, "MissingContentLength",                                         \
      "You must provide the Content-Length HTTP header.")                                          \
    X(NO_SUCH_BUCKET, 404, "NoSuchBucket", "The specified bucket does not exist.")                 \
    X(NO_SUCH_KEY, 404, "NoSuchKey", "The specified key does not exist.")                          \
    X(NO_SUCH_UPLOAD, 404, "NoSuchUpload",                                                         \
      "The specified multipart upload does not exist. The upload id might be invalid, or the "     \
      "upload might have been aborted or completed.")                                              \
    X(NO_SUCH_VERSION, 404, "NoSuchVersion", "The specified version does not exist.")              \
    X(NOT_IMPLEMENTED, 501, "NotImplemented",                                                      \
      "A header or operation you used implies functionality that is not implemented.")             \
    X(NOT_MODIFIED, 304, "NotModified", "Not Modified")                                            \
    X(OPERATION_ABORTED, 409, "OperationAborted",                                                  \
      "A conflicting conditional operation is in progress against this resource. Try again.")      \
    X(PRECONDITION_FAILED, 412, "PreconditionFailed",                                              \
      "At least one of the preconditions you specified did not hold.")                             \
    X(REQUEST_EXPIRED, 403, "AccessDenied", "Request has expired")                                 \
    X(REQUEST_TIME_SKEWED, 403, "RequestTimeTooSkewed",                                            \
      "The difference between the request time and the server's time is too large.")               \
    X(REQUEST_TIMEOUT, 400, "RequestTimeout",                                                      \
      "Your socket connection to the server was not read from or written to within the timeout "   \
      "period.")                                                                                   \
    X(SERVICE_UNAVAILABLE, 503, "ServiceUnavailable",                                              \
      "A part of the service is not available. Please try again.")                                 \
    X(SHA256_MISMATCH, 400, "XAmzContentSHA256Mismatch",                                           \
      "The provided 'x-amz-content-sha256' header does not match what was computed.")              \
    X(SIGNATURE_MISMATCH, 403, "SignatureDoesNotMatch",                                            \
      "The request signature we calculated does not match the signature you provided. Check your " \
      "key and signing method.")                                                                   \
    X(SLOW_DOWN, 503, "SlowDown", "Please reduce your request rate.")                              \
    X(TOO_MANY_BUCKETS, 400, "TooManyBuckets",                                                     \
      "You have attempted to create more buckets than allowed.")

enum s3_error {
#define X(name, http_status, code, text) S3_ERROR_##name,
    S3_ERRORS(X)
#undef X
};

unsigned s3_error_http_status(enum s3_error error);
const char *s3_error_code(enum s3_error error);
const char *s3_error_text(enum s3_error error);

/*
 * What a failure from inside means to a client, where nothing more exact is known: for example
 * NOT_FOUND is NoSuchKey, BUSY is SlowDown, UNAVAILABLE and TIMEOUT are ServiceUnavailable.
 */
enum s3_error s3_error_of_status(enum status_code code);

/* Append the <Error> document. resource is the decoded path, escaped here. */
void s3_error_write(
    struct buffer *xml, enum s3_error error, struct bytes resource, const char *request_id);

/*
 * Answer the exchange with the error, without a body for HEAD and 304. If the response has
 * started it can only be aborted, and that is done.
 */
void s3_error_respond(struct http_exchange *exchange, enum s3_error error);

/* An http_refuse_fn: the matching S3 error for a request that was refused before any handler. */
void s3_error_refuse(
    void *context, struct http_response *response, unsigned http_status, const char *request_id);
