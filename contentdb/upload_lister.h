#pragma once

/* ListParts and ListMultipartUploads, on a snapshot. */

#include "contentdb/rows.h"
#include "lib/base/arena.h"
#include "lib/kv/kv.h"
#include "proto/content.pb-c.h"

enum { UPLOAD_LIST_PARTS_MAX = 10000, UPLOAD_LIST_MAX = 1000 };

/* Parts behind number after. */
MUST_CHECK struct status upload_lister_parts(
    struct kv_snapshot *snapshot, const struct id16 *upload, uint32_t after, uint32_t limit,
    struct arena *arena, Triad__Content__ListPartsReply *reply);

struct upload_listing {
    struct id16 bucket;
    struct bytes prefix;
    struct bytes after_key; /* Names behind this one, */
    bool has_after_upload;  /* or this one and uploads behind after_upload. */
    struct id16 after_upload;
    uint32_t limit; /* 1 to UPLOAD_LIST_MAX. */
};
/* Open uploads, by name and id. */
MUST_CHECK struct status upload_lister_uploads(
    struct kv_snapshot *snapshot, const struct upload_listing *listing, struct arena *arena,
    Triad__Content__ListUploadsReply *reply);
