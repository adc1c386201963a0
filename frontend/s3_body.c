#include "frontend/s3_body.h"

#include "frontend/s3_chunked.h"
#include "frontend/s3_crc64.h"
#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/hex.h"
#include "lib/crypto/digest.h"
#include "lib/s3/base64.h"

#include <strings.h>

struct s3_body {
    struct http_body *body; /* Outlives us, as does the request. */
    const struct s3_request *request;
    struct s3_checksums want; /* The request's, and what the trailer adds. */
    struct s3_chunked chunked;
    s3_body_chunk_fn *on_chunk;
    void *on_chunk_context;
    struct digest *chunk_digest; /* Owned; of the chunk under way, where on_chunk is set. */
    bool is_signed;              /* A signed streaming payload. */
    bool wants_crc32;
    bool wants_crc32c;
    bool wants_crc64;
    bool is_ended;
    uint32_t crc32;
    uint32_t crc32c;
    uint64_t crc64;
    int64_t size; /* -1: unknown. */
    uint64_t taken;
    struct status failed; /* The first failure; it stays. */
    enum s3_error error;  /* What it means. */
    /* What a signed trailer's signature is over: its lines, with line feeds. */
    struct buffer trailer_lines;
};

/* ---- What the framing tells ---- */

static struct status on_chunk(void *context, const uint8_t *signature)
{
    struct s3_body *body = context;
    uint8_t sha256[DIGEST_SHA256_SIZE];
    if (signature == NULL) {
        return OK;
    }
    TRY(digest_end(body->chunk_digest, sha256));
    return body->on_chunk(body->on_chunk_context, false, sha256, signature);
}

static bool equals(struct bytes text, const char *want)
{
    return text.size == strlen(want) && strncasecmp((const char *)text.data, want, text.size) == 0;
}

static struct status on_trailer_signature(struct s3_body *body, struct bytes value)
{
    uint8_t sha256[DIGEST_SHA256_SIZE];
    uint8_t signature[SIGV4_SIGNATURE_SIZE];
    if (!body->is_signed || !hex_decode(value, signature, sizeof(signature))) {
        return FAIL(INVALID, "x-amz-trailer-signature");
    }
    TRY(buffer_status(&body->trailer_lines));
    struct bytes lines = buffer_bytes(&body->trailer_lines);
    TRY(digest_sha256(&lines, 1, sha256));
    return body->on_chunk(body->on_chunk_context, true, sha256, signature);
}

/* A checksum that the client announced in x-amz-trailer; another line is not allowed. */
static struct status on_trailer(void *context, struct bytes name, struct bytes value)
{
    struct s3_body *body = context;
    struct s3_checksums *want = &body->want;
    uint8_t crc[4];
    uint8_t crc64[8];
    if (equals(name, "x-amz-trailer-signature")) {
        return on_trailer_signature(body, value);
    }
    if (body->is_signed) {
        buffer_add(&body->trailer_lines, name);
        buffer_add_text(&body->trailer_lines, ":");
        buffer_add(&body->trailer_lines, value);
        buffer_add_text(&body->trailer_lines, "\n");
    }
    if (want->trailer_crc32 && equals(name, "x-amz-checksum-crc32") &&
        base64_decode(value, crc, sizeof(crc))) {
        want->has_crc32 = true;
        want->crc32 = decode_u32(crc);
        return OK;
    }
    if (want->trailer_crc32c && equals(name, "x-amz-checksum-crc32c") &&
        base64_decode(value, crc, sizeof(crc))) {
        want->has_crc32c = true;
        want->crc32c = decode_u32(crc);
        return OK;
    }
    if (want->trailer_crc64 && equals(name, "x-amz-checksum-crc64nvme") &&
        base64_decode(value, crc64, sizeof(crc64))) {
        want->has_crc64 = true;
        want->crc64 = decode_u64(crc64);
        return OK;
    }
    if (want->trailer_sha256 && equals(name, "x-amz-checksum-sha256") &&
        base64_decode(value, want->sha256, sizeof(want->sha256))) {
        want->has_sha256_header = true;
        return OK;
    }
    return FAIL(INVALID, "a line of the trailer that was not announced");
}

/* ---- The payload ---- */

enum s3_error s3_body_open(
    const struct s3_request *request, struct http_body *http, struct arena *arena,
    struct s3_body **ret_body)
{
    struct s3_body *body = arena_zalloc(arena, 1, sizeof(*body));
    if (body == NULL) {
        return S3_ERROR_SERVICE_UNAVAILABLE;
    }
    enum sigv4_payload payload = request->target.payload;
    body->body = http;
    body->request = request;
    body->want = request->checksums;
    body->wants_crc32 = body->want.has_crc32 || body->want.trailer_crc32;
    body->wants_crc32c = body->want.has_crc32c || body->want.trailer_crc32c;
    body->wants_crc64 = body->want.has_crc64 || body->want.trailer_crc64;
    body->is_signed =
        payload == SIGV4_PAYLOAD_STREAMING || payload == SIGV4_PAYLOAD_STREAMING_TRAILER;
    body->size = http_body_length(http);
    if (body->want.is_aws_chunked || body->size < 0) {
        body->size = body->want.decoded_length;
    }
    body->chunked = (struct s3_chunked){
        .body = http,
        .events = {.context = body, .on_chunk = on_chunk, .on_trailer = on_trailer},
        .is_signed = body->is_signed,
        .may_trail = payload != SIGV4_PAYLOAD_STREAMING,
    };
    buffer_init(&body->trailer_lines, 4096);
    *ret_body = body;
    return S3_ERROR_NONE;
}

struct status s3_body_on_chunk(struct s3_body *body, s3_body_chunk_fn *chunk_fn, void *context)
{
    CHECK(body->taken == 0 && body->chunk_digest == NULL);
    TRY(digest_new(DIGEST_SHA256, &body->chunk_digest));
    body->on_chunk = chunk_fn;
    body->on_chunk_context = context;
    return OK;
}

void s3_body_done(struct s3_body *body)
{
    digest_free(body->chunk_digest);
    body->chunk_digest = NULL;
    buffer_done(&body->trailer_lines);
}

int64_t s3_body_size(const struct s3_body *body)
{
    return body->size;
}

static struct status read_framed(struct s3_body *body, void *to, size_t size, size_t *ret_got)
{
    if (body->is_signed && body->on_chunk == NULL) {
        return FAIL(UNSUPPORTED, "a signed streaming payload");
    }
    TRY(s3_chunked_read(&body->chunked, to, size, ret_got));
    return body->is_signed ? digest_add(body->chunk_digest, bytes_of(to, *ret_got)) : OK;
}

/* Some bytes of the payload, counted; none at its end. */
static struct status read_some(struct s3_body *body, void *to, size_t size, size_t *ret_got)
{
    if (body->want.is_aws_chunked) {
        TRY(read_framed(body, to, size, ret_got));
    } else {
        TRY(http_body_read(body->body, to, size, ret_got));
    }
    body->taken += *ret_got;
    body->is_ended = *ret_got == 0;
    bool is_long = body->size >= 0 && body->taken > (uint64_t)body->size;
    bool is_short = body->size >= 0 && body->is_ended && body->taken < (uint64_t)body->size;
    if (is_long || is_short) {
        return FAIL(CANCELLED, "the payload has another length than announced");
    }
    struct bytes bytes = bytes_of(to, *ret_got);
    if (body->wants_crc32) {
        body->crc32 = digest_crc32(body->crc32, bytes);
    }
    if (body->wants_crc32c) {
        body->crc32c = digest_crc32c(body->crc32c, bytes);
    }
    if (body->wants_crc64) {
        body->crc64 = s3_crc64_nvme(body->crc64, bytes);
    }
    return OK;
}

static struct status read_all(struct s3_body *body, uint8_t *to, size_t size, size_t *ret_got)
{
    size_t done = 0;
    while (done < size && !body->is_ended) {
        size_t got;
        TRY(read_some(body, to + done, size - done, &got));
        done += got;
    }
    if (!body->is_ended && body->size >= 0 && body->taken == (uint64_t)body->size) {
        uint8_t none;
        size_t got;
        TRY(read_some(body, &none, 1, &got));
    }
    *ret_got = done;
    return OK;
}

static enum s3_error error_of(enum status_code code)
{
    switch ((int)code) {
    case STATUS_CANCELLED:
        return S3_ERROR_INCOMPLETE_BODY;
    case STATUS_TIMEOUT:
        return S3_ERROR_REQUEST_TIMEOUT;
    case STATUS_TOO_LARGE:
        return S3_ERROR_ENTITY_TOO_LARGE;
    case STATUS_DENIED:
    case STATUS_UNAUTHENTICATED:
        return S3_ERROR_SIGNATURE_MISMATCH;
    case STATUS_INVALID:
        return S3_ERROR_INVALID_REQUEST;
    default:
        return s3_error_of_status(code);
    }
}

struct status s3_body_read(struct s3_body *body, void *to, size_t size, size_t *ret_got)
{
    TRY(body->failed);
    body->failed = read_all(body, to, size, ret_got);
    if (!status_ok(body->failed)) {
        body->error = error_of(body->failed.code);
    }
    return body->failed;
}

enum s3_error s3_body_error(const struct s3_body *body)
{
    return body->error;
}

unsigned s3_body_digests(const struct s3_body *body)
{
    const struct s3_checksums *want = &body->want;
    bool wants_sha256 = body->request->target.payload == SIGV4_PAYLOAD_SHA256 ||
                        want->has_sha256_header || want->trailer_sha256;
    return (want->has_md5 ? BODY_DIGEST_MD5 : 0u) | (wants_sha256 ? BODY_DIGEST_SHA256 : 0u);
}

/* None of these digests is secret, but the comparison costs nothing. */
static bool same(const uint8_t *a, const uint8_t *b, size_t size)
{
    return secret_equal(bytes_of(a, size), bytes_of(b, size));
}

static enum s3_error compare(const struct s3_body *body, const struct body_digest_values *values)
{
    const struct s3_checksums *want = &body->want;
    const struct sigv4_target *target = &body->request->target;
    if (target->payload == SIGV4_PAYLOAD_SHA256 &&
        !same(target->payload_sha256, values->sha256, DIGEST_SHA256_SIZE)) {
        return S3_ERROR_SHA256_MISMATCH;
    }
    bool is_right =
        (!want->has_md5 || same(want->md5, values->md5, DIGEST_MD5_SIZE)) &&
        (!want->has_sha256_header || same(want->sha256, values->sha256, DIGEST_SHA256_SIZE)) &&
        (!want->has_crc32 || want->crc32 == body->crc32) &&
        (!want->has_crc32c || want->crc32c == body->crc32c) &&
        (!want->has_crc64 || want->crc64 == body->crc64);
    if (!is_right) {
        return S3_ERROR_BAD_DIGEST;
    }
    bool lacks_trailer = (want->trailer_crc32 && !want->has_crc32) ||
                         (want->trailer_crc32c && !want->has_crc32c) ||
                         (want->trailer_crc64 && !want->has_crc64) ||
                         (want->trailer_sha256 && !want->has_sha256_header);
    return lacks_trailer ? S3_ERROR_MALFORMED_TRAILER : S3_ERROR_NONE;
}

enum s3_error s3_body_verify(struct s3_body *body, const struct body_digest_values *values)
{
    unsigned needed = s3_body_digests(body);
    CHECK((values->kinds & needed) == needed);
    if (status_ok(body->failed) && !body->is_ended) {
        uint8_t more;
        size_t got = 0;
        struct status status = s3_body_read(body, &more, 1, &got);
        if (!status_ok(status) || got > 0) {
            return body->error != S3_ERROR_NONE ? body->error : S3_ERROR_INCOMPLETE_BODY;
        }
    }
    return status_ok(body->failed) ? compare(body, values) : body->error;
}

bool s3_body_crc32(const struct s3_body *body, uint32_t *ret_crc32)
{
    *ret_crc32 = body->crc32;
    return body->wants_crc32;
}

bool s3_body_crc32c(const struct s3_body *body, uint32_t *ret_crc32c)
{
    *ret_crc32c = body->crc32c;
    return body->wants_crc32c;
}

/* Everything into the buffer, through a piece of stack. */
static enum s3_error
read_into(struct s3_body *body, struct body_digest *digest, struct buffer *buffer)
{
    uint8_t piece[4096];
    size_t got = sizeof(piece);
    while (got == sizeof(piece)) {
        if (!status_ok(s3_body_read(body, piece, sizeof(piece), &got))) {
            return body->error;
        }
        buffer_add(buffer, bytes_of(piece, got));
        if (!status_ok(body_digest_add(digest, bytes_of(piece, got)))) {
            return S3_ERROR_INTERNAL_ERROR;
        }
        struct status status = buffer_status(buffer);
        if (!status_ok(status)) {
            return error_of(status.code);
        }
    }
    return S3_ERROR_NONE;
}

enum s3_error s3_body_read_all(struct s3_body *body, struct buffer *buffer)
{
    OWNED(body_digest) struct body_digest *digest = NULL;
    struct body_digest_values values;
    if (body->size >= 0 && (uint64_t)body->size > buffer->limit) {
        return S3_ERROR_ENTITY_TOO_LARGE;
    }
    if (!status_ok(body_digest_new(NULL, s3_body_digests(body), &digest))) {
        return S3_ERROR_SERVICE_UNAVAILABLE;
    }
    enum s3_error error = read_into(body, digest, buffer);
    if (error != S3_ERROR_NONE) {
        return error;
    }
    if (!status_ok(body_digest_end(digest, &values))) {
        return S3_ERROR_INTERNAL_ERROR;
    }
    return s3_body_verify(body, &values);
}
