#pragma once

/*
 * The payload of an S3 request: the HTTP body without aws-chunked framing, and the proof that it
 * is what the client announced.
 *
 * s3_body_read only moves bytes, and keeps the CRCs of them. The dear
 * digests (SHA-256, MD5) are the caller's to run with body_digest, beside its pipeline:
 * s3_body_digests says which are needed, s3_body_verify compares. A handler commits only after
 * s3_body_verify said S3_ERROR_NONE. One thread: the worker's.
 */

#include "frontend/body_digest.h"
#include "frontend/s3_request.h"

struct s3_body;

/*
 * A chunk of a signed streaming payload, for the key store's VerifyChunks: called once its data
 * was hashed, in order, the last one empty; then, with is_trailer, for the signature of the
 * trailer. Not OK ends the body with S3_ERROR_SIGNATURE_MISMATCH.
 */
typedef struct status s3_body_chunk_fn(
    void *context, bool is_trailer, const uint8_t sha256[32], const uint8_t signature[32]);

/*
 * The payload of request, over body; in the arena. Nothing is read yet. A signed streaming payload
 * is NOT_IMPLEMENTED without s3_body_on_chunk before the first read.
 */
enum s3_error s3_body_open(
    const struct s3_request *request, struct http_body *body, struct arena *arena,
    struct s3_body **ret_body);

/* Only then s3_body_done must be called at the end; otherwise it may be. */
MUST_CHECK struct status
s3_body_on_chunk(struct s3_body *body, s3_body_chunk_fn *on_chunk, void *context);
void s3_body_done(struct s3_body *body);

/* The payload's size, which s3_body_read enforces; -1 if unknown (a chunked body without
 * x-amz-decoded-content-length). */
int64_t s3_body_size(const struct s3_body *body);

/* Read until size bytes are there or the payload ends: *ret_got < size means its end. The byte that
 * completes a payload of known size brings its trailer with it. On failure s3_body_error says what
 * to answer. */
MUST_CHECK struct status s3_body_read(struct s3_body *body, void *to, size_t size, size_t *ret_got);

/* The S3 error of a failed read. */
enum s3_error s3_body_error(const struct s3_body *body);

/* The digests that s3_body_verify will want: enum body_digest_kind, joined. MD5 for an ETag is
 * the caller's wish and may be joined to it. */
unsigned s3_body_digests(const struct s3_body *body);

/*
 * After all bytes were read: compare everything announced with what came. BAD_DIGEST,
 * SHA256_MISMATCH, INCOMPLETE_BODY, MALFORMED_TRAILER, or S3_ERROR_NONE. values has at least
 * s3_body_digests. Reads the end of an empty payload that nobody read.
 */
enum s3_error s3_body_verify(struct s3_body *body, const struct body_digest_values *values);

/* The CRC32 of the payload, if it was announced and so computed: for the response and attributes.
 */
bool s3_body_crc32(const struct s3_body *body, uint32_t *ret_crc32);
bool s3_body_crc32c(const struct s3_body *body, uint32_t *ret_crc32c);

/* Read and verify a whole small payload (the XML of a request) into buffer: its limit is the
 * largest allowed. */
enum s3_error s3_body_read_all(struct s3_body *body, struct buffer *buffer);
