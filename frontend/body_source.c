#include "frontend/body_source.h"

#include "frontend/frontend_metrics.h"
#include "lib/base/encode.h"
#include "lib/format/attributes.h"
#include "lib/s3/base64.h"

#include <stdlib.h>

enum { SMALL_BODY = 64 * 1024 };

struct body_source {
    struct frontend_call *call;
    struct access *access;
    struct s3_body *body;       /* In the call's arena. */
    struct body_digest *digest; /* Owned. */
    struct body_digest_values values;
    struct key_chunk_signature *signatures; /* Owned: of a signed streaming payload. */
    size_t signature_count;
    uint8_t seed[32];
};

void body_source_free(struct body_source *source)
{
    if (source == NULL) {
        return;
    }
    body_digest_free(source->digest);
    if (source->body != NULL) {
        s3_body_done(source->body);
    }
    free(source->signatures);
    free(source);
}

static struct status signatures_verify(struct body_source *source)
{
    if (source->signature_count == 0) {
        return OK;
    }
    struct frontend_call *call = source->call;
    const struct sigv4_authorization *authorization = &call->request->authorization;
    const struct key_authorize_result *result = source->access->result;
    enum key_verdict verdict = KEY_REFUSED;
    TRY(key_client_verify_chunks(
        call->frontend->keys, bytes_of(result->handle, result->handle_size),
        authorization->timestamp, authorization->scope, source->signatures, source->signature_count,
        frontend_deadline(call), source->seed, &verdict));
    source->signature_count = 0;
    if (verdict != KEY_ALLOWED) {
        return frontend_refuse(
            call, access_error_of_verdict(verdict), FAIL(DENIED, "signature of a chunk"));
    }
    return OK;
}

static struct status
chunk_signed(void *context, bool is_trailer, const uint8_t sha256[32], const uint8_t signature[32])
{
    struct body_source *source = context;
    if (is_trailer) {
        return FAIL(UNSUPPORTED, "signature of a trailer");
    }
    if (source->signatures == NULL) {
        source->signatures = calloc(KEY_VERIFY_CHUNKS_MAX, sizeof(*source->signatures));
        if (source->signatures == NULL) {
            return FAIL(NO_MEMORY, "chunk signatures");
        }
    }
    struct key_chunk_signature *next = &source->signatures[source->signature_count++];
    memcpy(next->sha256, sha256, sizeof(next->sha256));
    memcpy(next->signature, signature, sizeof(next->signature));
    return source->signature_count == KEY_VERIFY_CHUNKS_MAX ? signatures_verify(source) : OK;
}

struct status
body_source_open(struct frontend_call *call, struct access *access, struct body_source **ret_source)
{
    OWNED(body_source) struct body_source *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return FAIL(NO_MEMORY, "body");
    }
    source->call = call;
    source->access = access;
    memcpy(source->seed, call->request->authorization.signature, sizeof(source->seed));
    enum s3_error error =
        s3_body_open(call->request, call->exchange->body, call->arena, &source->body);
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(INVALID, "body of a request"));
    }
    if (call->request->target.payload == SIGV4_PAYLOAD_STREAMING) {
        TRY(s3_body_on_chunk(source->body, chunk_signed, source));
    }
    int64_t size = s3_body_size(source->body);
    if (size < 0) {
        return frontend_refuse(
            call, S3_ERROR_MISSING_CONTENT_LENGTH, FAIL(INVALID, "a body of unknown length"));
    }
    struct body_digest_pool *pool = size <= SMALL_BODY ? NULL : call->frontend->digests;
    TRY(body_digest_new(pool, s3_body_digests(source->body) | BODY_DIGEST_MD5, &source->digest));

    *ret_source = TAKE(source);
    return OK;
}

uint64_t body_source_size(const struct body_source *source)
{
    return (uint64_t)s3_body_size(source->body);
}

struct body_digest *body_source_digest(struct body_source *source)
{
    return source->digest;
}

static struct status read_some(struct body_source *source, void *to, size_t size, size_t *ret_got)
{
    struct status status = s3_body_read(source->body, to, size, ret_got);
    if (!status_ok(status)) {
        return frontend_refuse(source->call, s3_body_error(source->body), status);
    }
    return OK;
}

struct status body_source_read(void *context, void *to, size_t size)
{
    struct body_source *source = context;
    size_t got = 0;
    TRY(read_some(source, to, size, &got));
    metric_add(&frontend_metrics_bytes_in, (int64_t)got);
    if (got < size) {
        return frontend_refuse(
            source->call, S3_ERROR_INCOMPLETE_BODY, FAIL(INVALID, "the body ends too early"));
    }
    return OK;
}

struct status body_source_finish(struct body_source *source, uint8_t ret_md5[16])
{
    TRY(body_digest_end(source->digest, &source->values));
    enum s3_error error = s3_body_verify(source->body, &source->values);
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(source->call, error, FAIL(INVALID, "checksum of the body"));
    }
    TRY(signatures_verify(source)); /* Now: the end of an empty body was read only just before. */
    memcpy(ret_md5, source->values.md5, sizeof(source->values.md5));
    return OK;
}

static void checksum_add(
    struct body_source *source, const char *name, struct bytes value, struct attribute *attributes,
    size_t *count)
{
    char *text = arena_zalloc(source->call->arena, BASE64_SIZE(value.size) + 1, 1);
    if (text == NULL) {
        return; /* A checksum that is not kept is only not told later. */
    }
    base64_encode(value, text);
    attributes[(*count)++] =
        (struct attribute){.name = bytes_text(name), .value = bytes_text(text)};
    http_response_header_text(source->call->exchange->response, name, text);
}

void body_source_checksums(struct body_source *source, struct attribute *attributes, size_t *count)
{
    uint32_t crc = 0;
    uint8_t encoded[4];
    if (s3_body_crc32(source->body, &crc)) {
        encode_u32(encoded, crc);
        checksum_add(source, "x-amz-checksum-crc32", BYTES_ARRAY(encoded), attributes, count);
    }
    if (s3_body_crc32c(source->body, &crc)) {
        encode_u32(encoded, crc);
        checksum_add(source, "x-amz-checksum-crc32c", BYTES_ARRAY(encoded), attributes, count);
    }
    const struct s3_checksums *wanted = &source->call->request->checksums;
    if ((wanted->has_sha256_header || wanted->trailer_sha256) &&
        (source->values.kinds & BODY_DIGEST_SHA256) != 0) {
        checksum_add(
            source, "x-amz-checksum-sha256", BYTES_ARRAY(source->values.sha256), attributes, count);
    }
}
