#pragma once

/* The one step that makes an uploaded object visible. */

#include "frontend/access.h"
#include "frontend/upload.h"
#include "lib/format/attributes.h"

struct object_commit {
    struct access *access; /* Of the target: its grant, bucket and attribute key. */
    struct bytes key_ref;  /* Of data. */
    const struct upload *upload;
    uint64_t size;
    const struct id16 *data;
    const struct secret *object_key;
    const uint8_t *etag; /* 16 bytes. */
    struct attribute *attributes;
    size_t attribute_count;
    bool if_absent;
    uint64_t created_ms; /* Set by the commit. */
};

/* Commit a single content under the request's target. */
MUST_CHECK struct status
object_commit_put(struct frontend_call *call, struct object_commit *commit);

/* Send a commit item and judge its outcome; ret_commit may be NULL. */
MUST_CHECK struct status object_commit_send(
    struct frontend_call *call, const Triad__Content__CommitItem *item,
    struct content_commit *ret_commit);
