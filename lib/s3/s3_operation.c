#include "lib/s3/s3_operation.h"

/* Subresources that may stand together with another operation's own. */
static bool has_only(const struct sigv4_target *target, unsigned allowed)
{
    return (target->subresources & ~allowed) == 0;
}

static bool has(const struct sigv4_target *target, unsigned wanted)
{
    return (target->subresources & wanted) == wanted;
}

static enum s3_operation bucket_get(const struct sigv4_target *target)
{
    switch (target->subresources) {
    case 0:
        return S3_LIST_OBJECTS;
    case SIGV4_SUB_LIST_TYPE:
        return S3_LIST_OBJECTS_V2;
    case SIGV4_SUB_LOCATION:
        return S3_GET_BUCKET_LOCATION;
    case SIGV4_SUB_VERSIONING:
        return S3_GET_BUCKET_VERSIONING;
    case SIGV4_SUB_UPLOADS:
        return S3_LIST_MULTIPART_UPLOADS;
    default:
        return S3_NOT_IMPLEMENTED;
    }
}

static enum s3_operation bucket_operation(const struct sigv4_target *target)
{
    bool is_plain = target->subresources == 0;
    switch (target->verb) {
    case SIGV4_GET:
        return bucket_get(target);
    case SIGV4_HEAD:
        return is_plain ? S3_HEAD_BUCKET : S3_NOT_IMPLEMENTED;
    case SIGV4_PUT:
        return is_plain ? S3_CREATE_BUCKET : S3_NOT_IMPLEMENTED;
    case SIGV4_DELETE:
        return is_plain ? S3_DELETE_BUCKET : S3_NOT_IMPLEMENTED;
    case SIGV4_POST:
        return target->subresources == SIGV4_SUB_DELETE ? S3_DELETE_OBJECTS : S3_NOT_IMPLEMENTED;
    default:
        return S3_NOT_IMPLEMENTED;
    }
}

static enum s3_operation object_put(const struct sigv4_target *target)
{
    if (target->subresources == 0) {
        return target->has_copy_source ? S3_COPY_OBJECT : S3_PUT_OBJECT;
    }
    if (target->subresources == (SIGV4_SUB_UPLOAD_ID | SIGV4_SUB_PART_NUMBER)) {
        return target->has_copy_source ? S3_UPLOAD_PART_COPY : S3_UPLOAD_PART;
    }
    return S3_NOT_IMPLEMENTED;
}

static enum s3_operation object_operation(const struct sigv4_target *target)
{
    bool is_upload = target->subresources == SIGV4_SUB_UPLOAD_ID;
    /* Of a version or of one part of an object. */
    bool is_read = has_only(target, SIGV4_SUB_VERSION_ID | SIGV4_SUB_PART_NUMBER);
    switch (target->verb) {
    case SIGV4_GET:
        if (is_upload) {
            return S3_LIST_PARTS;
        }
        return is_read ? S3_GET_OBJECT : S3_NOT_IMPLEMENTED;
    case SIGV4_HEAD:
        return is_read ? S3_HEAD_OBJECT : S3_NOT_IMPLEMENTED;
    case SIGV4_PUT:
        return object_put(target);
    case SIGV4_POST:
        if (is_upload) {
            return S3_COMPLETE_MULTIPART_UPLOAD;
        }
        return target->subresources == SIGV4_SUB_UPLOADS ? S3_CREATE_MULTIPART_UPLOAD
                                                         : S3_NOT_IMPLEMENTED;
    case SIGV4_DELETE:
        if (is_upload) {
            return S3_ABORT_MULTIPART_UPLOAD;
        }
        return has_only(target, SIGV4_SUB_VERSION_ID) ? S3_DELETE_OBJECT : S3_NOT_IMPLEMENTED;
    default:
        return S3_NOT_IMPLEMENTED;
    }
}

enum s3_operation s3_operation_of(const struct sigv4_target *target)
{
    if (has(target, SIGV4_SUB_OTHER)) {
        return S3_NOT_IMPLEMENTED;
    }
    if (target->bucket.size == 0) {
        bool is_list = target->verb == SIGV4_GET && target->subresources == 0;
        return is_list ? S3_LIST_BUCKETS : S3_NOT_IMPLEMENTED;
    }
    return target->key.size == 0 ? bucket_operation(target) : object_operation(target);
}

const char *s3_operation_name(enum s3_operation operation)
{
    switch (operation) {
#define X(name, action)                                                                            \
    case S3_##name:                                                                                \
        return #name;
        S3_OPERATIONS(X)
#undef X
    default:
        return "NOT_IMPLEMENTED";
    }
}

const char *s3_operation_action(enum s3_operation operation)
{
    switch (operation) {
#define X(name, action)                                                                            \
    case S3_##name:                                                                                \
        return action;
        S3_OPERATIONS(X)
#undef X
    default:
        return "";
    }
}
