#pragma once

/*
 * Multipart uploads: create, list, abort, and the opened upload that parts and Complete need. The
 * upload's id is its version16, in hex, and so the version that Complete makes.
 */

#include "frontend/access.h"
#include "lib/format/attributes.h"
#include "lib/format/version_record.h"

MUST_CHECK struct status multipart_create(struct frontend_call *call);
MUST_CHECK struct status multipart_abort(struct frontend_call *call);
MUST_CHECK struct status multipart_list_parts(struct frontend_call *call);
MUST_CHECK struct status multipart_list_uploads(struct frontend_call *call);

/* The upload that the request names, proved and opened: its keys are access->result's. */
struct multipart {
    struct content_reply *reply; /* Owned: what row points into. */
    const Triad__Content__ObjectRow *row;
    struct access *access; /* Owned. */
    struct version_record record;
    struct id16 upload;
};
MUST_CHECK struct status
multipart_open(struct frontend_call *call, struct multipart **ret_multipart);
void multipart_free(struct multipart *multipart);

/* NoSuchUpload unless the request's uploadId is 32 hex digits. */
MUST_CHECK struct status multipart_upload_id(struct frontend_call *call, struct id16 *ret_upload);

DEFINE_OWNED(multipart)
