#pragma once

/*
 * MD5 and SHA-256 of a stream, beside the pipeline: they are the dearest step of a PUT.
 *
 * A pool of helper threads works through ranges that stay the caller's: a range must not change
 * or go away until body_digest_wait has said that its bytes are done. One stream is worked on by
 * one helper at a time, in order. Each body_digest belongs to one thread; the pool to any.
 */

#include "lib/base/bytes.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

enum body_digest_kind { BODY_DIGEST_MD5 = 1, BODY_DIGEST_SHA256 = 2 };

struct body_digest_values {
    unsigned kinds; /* enum body_digest_kind, joined: which are set. */
    uint8_t md5[16];
    uint8_t sha256[32];
};

struct body_digest_pool;
MUST_CHECK struct status
body_digest_pool_start(unsigned threads, struct body_digest_pool **ret_pool);
/* All body_digests of the pool are freed before. */
void body_digest_pool_free(struct body_digest_pool *pool);
DEFINE_OWNED(body_digest_pool)

struct body_digest;

/* kinds as above, 0 for none: then everything here does nothing. Without a pool (NULL) the work
 * is done at once inside body_digest_add: right for small bodies. */
MUST_CHECK struct status
body_digest_new(struct body_digest_pool *pool, unsigned kinds, struct body_digest **ret_digest);

/* Add the next bytes of the stream. Blocks while many ranges wait. */
MUST_CHECK struct status body_digest_add(struct body_digest *digest, struct bytes bytes);

/* Wait until the first upto bytes of the stream are done, so that their memory may be reused. */
MUST_CHECK struct status body_digest_wait(struct body_digest *digest, uint64_t upto);

/* Wait for everything added and end the stream. Once. */
MUST_CHECK struct status
body_digest_end(struct body_digest *digest, struct body_digest_values *ret_values);

/* Waits for the range under work, forgets the rest; afterwards no range is looked at. */
void body_digest_free(struct body_digest *digest);
DEFINE_OWNED(body_digest)
