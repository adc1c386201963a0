#pragma once

/*
 * The payload of a PUT as the source of an upload, and the proof that it was whole and is what the
 * client announced: nothing is committed before body_source_finish said OK. One thread.
 */

#include "frontend/access.h"
#include "frontend/s3_body.h"

struct body_source;

/* access: for signatures of a streaming payload. Outlives the source. MissingContentLength for a
 * body that does not say its size. */
MUST_CHECK struct status body_source_open(
    struct frontend_call *call, struct access *access, struct body_source **ret_source);
void body_source_free(struct body_source *source);

uint64_t body_source_size(const struct body_source *source);
/* Computes MD5 for the ETag and what else must be verified. */
struct body_digest *body_source_digest(struct body_source *source);

/* As an upload_read_fn. */
MUST_CHECK struct status body_source_read(void *source, void *to, size_t size);

/* After the last byte: trailers, signatures, checksums. */
MUST_CHECK struct status body_source_finish(struct body_source *source, uint8_t ret_md5[16]);

/* After finish: append the checksums that the client gave as attributes; room for
 * OBJECT_VERSION_SPARE. Also sets the response's headers. */
struct attribute;
void body_source_checksums(struct body_source *source, struct attribute *attributes, size_t *count);

DEFINE_OWNED(body_source)
