#pragma once

/* UploadPart, CreateUpload: an open upload and its parts. */

#include "contentdb/commit_check.h"
#include "contentdb/plan_head.h"

/* arg: struct commit of kind PART. A part that was there before is replaced. */
struct status plan_part_put(struct plan *plan, void *arg);

struct plan_part_upload {
    struct id16 bucket;
    struct id16 tenant;
    struct id16 upload;
    struct bytes name;
    struct bytes record;
    struct bytes vmac;
    struct bytes key_ref;
    struct bytes attributes;
};
/* arg: struct plan_part_upload. Idempotent on the upload's id. */
struct status plan_part_create(struct plan *plan, void *arg);

/* The U row; NO_SUCH_UPLOAD if there is none. */
MUST_CHECK struct status plan_part_get_upload(
    struct plan *plan, const struct id16 *bucket, struct bytes name, const struct id16 *upload,
    struct row_upload *ret_row);
/* A part's content is garbage. */
MUST_CHECK struct status plan_part_let_go(
    struct plan *plan, const struct id16 *bucket, const struct id16 *upload,
    const struct row_part *part);
