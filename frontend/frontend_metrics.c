#include "frontend/frontend_metrics.h"

METRIC_DEFINE(
    frontend_metrics_bytes_in, METRIC_COUNTER, "triad_frontend_bytes_in_total",
    "Payload bytes that clients sent");
METRIC_DEFINE(
    frontend_metrics_bytes_out, METRIC_COUNTER, "triad_frontend_bytes_out_total",
    "Object bytes that clients got");
METRIC_DEFINE(
    frontend_metrics_buffers, METRIC_GAUGE, "triad_frontend_buffers", "Chunk buffers in use");

static METRIC_DEFINE(
    reads, METRIC_COUNTER, "triad_frontend_reads_total", "GetObject and HeadObject requests");
static METRIC_DEFINE(
    writes, METRIC_COUNTER, "triad_frontend_writes_total",
    "PutObject, UploadPart and copy requests");
static METRIC_DEFINE(deletes, METRIC_COUNTER, "triad_frontend_deletes_total", "Delete requests");
static METRIC_DEFINE(lists, METRIC_COUNTER, "triad_frontend_lists_total", "List requests");
static METRIC_DEFINE(
    others, METRIC_COUNTER, "triad_frontend_others_total", "Requests of other kinds");
static METRIC_DEFINE(
    client_errors, METRIC_COUNTER, "triad_frontend_errors_client_total",
    "Requests answered 400 to 499");
static METRIC_DEFINE(
    server_errors, METRIC_COUNTER, "triad_frontend_errors_server_total",
    "Requests answered 500 or more, or cut off");

void frontend_metrics_register(void)
{
    struct metric *const all[] = {
        &frontend_metrics_bytes_in,
        &frontend_metrics_bytes_out,
        &frontend_metrics_buffers,
        &reads,
        &writes,
        &deletes,
        &lists,
        &others,
        &client_errors,
        &server_errors,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        metric_register(all[i]);
    }
}

static struct metric *metric_of(enum s3_operation operation)
{
    switch (operation) {
    case S3_GET_OBJECT:
    case S3_HEAD_OBJECT:
        return &reads;
    case S3_PUT_OBJECT:
    case S3_UPLOAD_PART:
    case S3_COPY_OBJECT:
    case S3_UPLOAD_PART_COPY:
        return &writes;
    case S3_DELETE_OBJECT:
    case S3_DELETE_OBJECTS:
        return &deletes;
    case S3_LIST_BUCKETS:
    case S3_LIST_OBJECTS:
    case S3_LIST_OBJECTS_V2:
    case S3_LIST_MULTIPART_UPLOADS:
    case S3_LIST_PARTS:
        return &lists;
    case S3_CREATE_BUCKET:
    case S3_HEAD_BUCKET:
    case S3_DELETE_BUCKET:
    case S3_GET_BUCKET_LOCATION:
    case S3_GET_BUCKET_VERSIONING:
    case S3_CREATE_MULTIPART_UPLOAD:
    case S3_COMPLETE_MULTIPART_UPLOAD:
    case S3_ABORT_MULTIPART_UPLOAD:
    case S3_NOT_IMPLEMENTED:
    default:
        return &others;
    }
}

void frontend_metrics_count(enum s3_operation operation, unsigned http_status)
{
    metric_add(metric_of(operation), 1);
    if (http_status >= 500 || http_status == 0) {
        metric_add(&server_errors, 1);
    } else if (http_status >= 400) {
        metric_add(&client_errors, 1);
    }
}
