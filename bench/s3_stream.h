#pragma once

/* One HTTPS connection to an S3 endpoint on localhost, blocking, for one thread: signs and runs
 * one request after the other. For measuring; it knows just the answers that it needs. */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

#include <stddef.h>

struct s3_stream;

struct s3_stream_options {
    int port;
    const char *ca_file;
    const char *credentials_file; /* As aws writes them: aws_access_key_id = ... */
    const char *bucket;
};

MUST_CHECK struct status
s3_stream_open(const struct s3_stream_options *options, struct s3_stream **ret_stream);
void s3_stream_free(struct s3_stream *stream);

/* PUT size pseudo-random bytes under key. */
MUST_CHECK struct status s3_stream_put(struct s3_stream *stream, const char *key, size_t size);

/* GET and drop size bytes. INVALID if the answer is not 200 with that length. */
MUST_CHECK struct status s3_stream_get(struct s3_stream *stream, const char *key, size_t size);

DEFINE_OWNED(s3_stream)
