#pragma once

/*
 * Which S3 operation a target is, and which right it needs. Frontend and key store ask here, so
 * that no request is one operation for the one and another for the other.
 */

#include "lib/s3/sigv4_target.h"

/* Name, policy action. */
#define S3_OPERATIONS(X)                                                                           \
    X(LIST_BUCKETS, "s3:ListAllMyBuckets")                                                         \
    X(CREATE_BUCKET, "s3:CreateBucket")                                                            \
    X(HEAD_BUCKET, "s3:ListBucket")                                                                \
    X(DELETE_BUCKET, "s3:DeleteBucket")                                                            \
    X(GET_BUCKET_LOCATION, "s3:GetBucketLocation")                                                 \
    X(GET_BUCKET_VERSIONING, "s3:GetBucketVersioning")                                             \
    X(LIST_OBJECTS, "s3:ListBucket")                                                               \
    X(LIST_OBJECTS_V2, "s3:ListBucket")                                                            \
    X(LIST_MULTIPART_UPLOADS, "s3:ListBucketMultipartUploads")                                     \
    X(DELETE_OBJECTS, "s3:DeleteObject")                                                           \
    X(PUT_OBJECT, "s3:PutObject")                                                                  \
    X(COPY_OBJECT, "s3:PutObject")                                                                 \
    X(GET_OBJECT, "s3:GetObject")                                                                  \
    X(HEAD_OBJECT, "s3:GetObject")                                                                 \
    X(DELETE_OBJECT, "s3:DeleteObject")                                                            \
    X(CREATE_MULTIPART_UPLOAD, "s3:PutObject")                                                     \
    X(UPLOAD_PART, "s3:PutObject")                                                                 \
    X(UPLOAD_PART_COPY, "s3:PutObject")                                                            \
    X(COMPLETE_MULTIPART_UPLOAD, "s3:PutObject")                                                   \
    X(ABORT_MULTIPART_UPLOAD, "s3:AbortMultipartUpload")                                           \
    X(LIST_PARTS, "s3:ListMultipartUploadParts")                                                   \
    X(NOT_IMPLEMENTED, "")

enum s3_operation {
#define X(name, action) S3_##name,
    S3_OPERATIONS(X)
#undef X
};

/* S3_NOT_IMPLEMENTED for what S3 has and we have not, and for verbs that fit no resource. A copy
 * needs s3:GetObject on its source besides. */
enum s3_operation s3_operation_of(const struct sigv4_target *target);

/* "PUT_OBJECT", for logs and metrics. */
const char *s3_operation_name(enum s3_operation operation);

/* "s3:PutObject"; "" for S3_NOT_IMPLEMENTED. */
const char *s3_operation_action(enum s3_operation operation);
