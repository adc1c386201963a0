#pragma once

/*
 * The pipeline of a PUT or a part: bytes in, chunks out, manifest pages at the end. Nothing is
 * visible before the caller commits them; what a failure leaves behind lies under our lease and is
 * swept once no manifest can name it. One thread.
 */

#include "frontend/frontend.h"
#include "frontend/manifest_builder.h"

enum { UPLOAD_SIZE_MAX_GIB = 5 };

/* Exactly size bytes into to, or why not. */
typedef struct status upload_read_fn(void *context, void *to, size_t size);

struct upload_options {
    const struct id16 *tenant;
    const struct id16 *bucket;
    const struct id16 *data;
    const struct secret *object_key;
    uint32_t part; /* 0: a plain PUT. */
    uint64_t size;
    upload_read_fn *read;
    void *context;
    struct body_digest *digest; /* May be NULL: sees every byte before it is sealed. */
};

struct upload;

/* Read, seal and store size bytes. The options' pointers outlive the upload. */
MUST_CHECK struct status upload_run(
    struct frontend_call *call, const struct upload_options *options, struct upload **ret_upload);
void upload_free(struct upload *upload);

const struct content *upload_content(const struct upload *upload);
uint32_t upload_chunks(const struct upload *upload);

/* Fill in pages, repairs and content of a commit; views into the upload, arrays in the arena. */
MUST_CHECK struct status
upload_describe(const struct upload *upload, struct arena *arena, Triad__Content__CommitItem *item);

DEFINE_OWNED(upload)
