/* s3_body: the payload is what was announced, byte for byte, or there is an error. */

#include "frontend/s3_body.h"

#include "frontend/s3_crc64.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/s3/base64.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

/* A body from memory, in pieces of at most step bytes; the linker puts it in the place of TLS. */
struct http_body {
    struct bytes rest;
    size_t step;
    bool is_cut; /* At its end the client goes away. */
    int64_t length;
};

struct status __wrap_http_body_read(struct http_body *body, void *to, size_t size, size_t *ret_got);
int64_t __wrap_http_body_length(const struct http_body *body);

struct status __wrap_http_body_read(struct http_body *body, void *to, size_t size, size_t *ret_got)
{
    if (body->rest.size == 0 && body->is_cut) {
        return FAIL(CANCELLED, "cut");
    }
    size = size < body->step ? size : body->step;
    size = size < body->rest.size ? size : body->rest.size;
    memcpy(to, body->rest.data, size);
    body->rest = bytes_from(body->rest, size);
    *ret_got = size;
    return OK;
}

int64_t __wrap_http_body_length(const struct http_body *body)
{
    return body->length;
}

static struct s3_request chunked_request(int64_t decoded_length)
{
    return (struct s3_request){
        .operation = S3_PUT_OBJECT,
        .target = {.payload = SIGV4_PAYLOAD_UNSIGNED_TRAILER},
        .checksums =
            {.is_aws_chunked = true, .trailer_crc32 = true, .decoded_length = decoded_length},
    };
}

/* Read all of text's payload, which must be want if error is NONE. */
static enum s3_error
read_payload(const struct s3_request *request, const char *text, size_t step, const char *want)
{
    ARENA(arena, 65536);
    BUFFER(got, 4096);
    struct http_body http = {
        .rest = bytes_text(text), .step = step, .length = (int64_t)strlen(text)};
    struct s3_body *body;
    assert_int_equal(s3_body_open(request, &http, &arena, &body), S3_ERROR_NONE);
    enum s3_error error = s3_body_read_all(body, &got);
    if (error == S3_ERROR_NONE) {
        assert_true(bytes_equal(buffer_bytes(&got), bytes_text(want)));
    }
    return error;
}

/* crc32("hello world") */
#define CRC "x-amz-checksum-crc32:DUoRhQ==\r\n"

static void chunks_and_trailer_are_taken_off(void **state)
{
    static const char TEXT[] = "5\r\nhello\r\n6\r\n world\r\n0\r\n" CRC "\r\n";
    struct s3_request request = chunked_request(11);
    (void)state;
    for (size_t step = 1; step <= sizeof(TEXT); step++) {
        assert_int_equal(read_payload(&request, TEXT, step, "hello world"), S3_ERROR_NONE);
    }
}

static void an_empty_payload_has_a_trailer_too(void **state)
{
    struct s3_request request = chunked_request(0);
    (void)state;
    assert_int_equal(
        read_payload(&request, "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", 100, ""),
        S3_ERROR_NONE);
}

static void wrong_framing_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum s3_error want;
    } CASES[] = {
        {"", S3_ERROR_INCOMPLETE_BODY},
        {"b\r\nhello", S3_ERROR_INCOMPLETE_BODY},
        {"b\r\nhello world\r\n", S3_ERROR_INCOMPLETE_BODY},
        {"b\r\nhello world\r\n0\r\n", S3_ERROR_INCOMPLETE_BODY},
        {"b\r\nhello world\r\n0\r\n" CRC, S3_ERROR_INCOMPLETE_BODY},
        {"5\r\nhello\r\n0\r\n" CRC "\r\n", S3_ERROR_INCOMPLETE_BODY},
        {"c\r\nhello world!\r\n0\r\n" CRC "\r\n", S3_ERROR_INCOMPLETE_BODY},
        {"b\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"\r\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"x\r\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"0xb\r\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"-b\r\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"b \r\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"b;a=b\r\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"ffffffffffffff\r\nhello world\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"b\r\nhello worldx\r\n0\r\n" CRC "\r\n", S3_ERROR_INVALID_REQUEST},
        {"b\r\nhello world\r\n0\r\n" CRC "\r\nx", S3_ERROR_INVALID_REQUEST},
        {"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n",
         S3_ERROR_INVALID_REQUEST},
        {"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", S3_ERROR_INVALID_REQUEST},
        {"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", S3_ERROR_INVALID_REQUEST},
        {"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", S3_ERROR_BAD_DIGEST},
        {"b\r\nhello world\r\n0\r\n\r\n", S3_ERROR_MALFORMED_TRAILER},
    };
    struct s3_request request = chunked_request(11);
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        for (size_t step = 1; step < 64; step += 31) {
            enum s3_error got = read_payload(&request, CASES[i].text, step, "hello world");
            if (got != CASES[i].want) {
                fail_msg("case %zu: %s", i, s3_error_code(got));
            }
        }
    }
}

static void a_line_without_end_is_refused(void **state)
{
    char text[2000];
    struct s3_request request = chunked_request(11);
    (void)state;
    memset(text, '0', sizeof(text));
    text[1999] = '\0';
    assert_int_equal(read_payload(&request, text, 100, ""), S3_ERROR_INVALID_REQUEST);
}

static void announced_digests_are_compared(void **state)
{
    static const char TEXT[] = "hello world";
    struct bytes bytes = bytes_text(TEXT);
    struct s3_request good = {
        .operation = S3_PUT_OBJECT,
        .target = {.payload = SIGV4_PAYLOAD_SHA256},
        .checksums =
            {
                .decoded_length = -1,
                .has_md5 = true,
                .has_sha256_header = true,
                .has_crc32 = true,
                .has_crc32c = true,
                .crc32 = 0x0d4a1185,
            },
    };
    OWNED(digest) struct digest *md5 = NULL;
    (void)state;
    assert_ok(digest_sha256(&bytes, 1, good.target.payload_sha256));
    assert_ok(digest_sha256(&bytes, 1, good.checksums.sha256));
    assert_ok(digest_new(DIGEST_MD5, &md5));
    assert_ok(digest_add(md5, bytes));
    assert_ok(digest_end(md5, good.checksums.md5));
    good.checksums.crc32c = digest_crc32c(0, bytes);
    assert_int_equal(read_payload(&good, TEXT, 3, TEXT), S3_ERROR_NONE);

    struct s3_request bad = good;
    bad.target.payload_sha256[5] ^= 1;
    assert_int_equal(read_payload(&bad, TEXT, 3, TEXT), S3_ERROR_SHA256_MISMATCH);
    bad = good;
    bad.checksums.md5[15] ^= 1;
    assert_int_equal(read_payload(&bad, TEXT, 3, TEXT), S3_ERROR_BAD_DIGEST);
    bad = good;
    bad.checksums.sha256[0] ^= 1;
    assert_int_equal(read_payload(&bad, TEXT, 3, TEXT), S3_ERROR_BAD_DIGEST);
    bad = good;
    bad.checksums.crc32 ^= 1;
    assert_int_equal(read_payload(&bad, TEXT, 3, TEXT), S3_ERROR_BAD_DIGEST);
    bad = good;
    bad.checksums.crc32c ^= 1;
    assert_int_equal(read_payload(&bad, TEXT, 3, TEXT), S3_ERROR_BAD_DIGEST);
}

static void crc64_is_that_of_nvme(void **state)
{
    struct s3_request request = chunked_request(11);
    struct bytes nine = bytes_text("123456789");
    uint64_t want = 0;
    uint8_t bytes[8];
    char encoded[13];
    char text[128];
    (void)state;
    assert_true(s3_crc64_nvme(0, nine) == 0xae8b14860a799888);
    for (size_t i = 0; i <= 9; i++) {
        uint64_t first = s3_crc64_nvme(0, bytes_slice(nine, 0, i));
        assert_true(s3_crc64_nvme(first, bytes_from(nine, i)) == 0xae8b14860a799888);
    }
    request.checksums.trailer_crc32 = false;
    request.checksums.trailer_crc64 = true;
    want = s3_crc64_nvme(0, bytes_text("hello world"));
    for (size_t i = 0; i < 2; i++) {
        encode_u64(bytes, want + i);
        base64_encode(BYTES_ARRAY(bytes), encoded);
        snprintf(
            text, sizeof(text), "b\r\nhello world\r\n0\r\nx-amz-checksum-crc64nvme:%s\r\n\r\n",
            encoded);
        assert_int_equal(
            read_payload(&request, text, 9, "hello world"),
            i == 0 ? S3_ERROR_NONE : S3_ERROR_BAD_DIGEST);
    }
}

static void a_client_that_goes_away_leaves_an_incomplete_body(void **state)
{
    ARENA(arena, 65536);
    struct s3_request request = {
        .target = {.payload = SIGV4_PAYLOAD_UNSIGNED}, .checksums = {.decoded_length = -1}};
    struct http_body http = {
        .rest = bytes_text("hello"), .step = 100, .is_cut = true, .length = 11};
    struct s3_body *body;
    uint8_t to[32];
    size_t got;
    (void)state;
    assert_int_equal(s3_body_open(&request, &http, &arena, &body), S3_ERROR_NONE);
    assert_int_equal(s3_body_size(body), 11);
    assert_status(s3_body_read(body, to, sizeof(to), &got), STATUS_CANCELLED);
    assert_int_equal(s3_body_error(body), S3_ERROR_INCOMPLETE_BODY);
    struct body_digest_values values = {.kinds = 3};
    assert_int_equal(s3_body_verify(body, &values), S3_ERROR_INCOMPLETE_BODY);
}

static void too_large_a_document_is_refused(void **state)
{
    ARENA(arena, 65536);
    BUFFER(to, 4);
    struct s3_request request = {
        .target = {.payload = SIGV4_PAYLOAD_UNSIGNED}, .checksums = {.decoded_length = -1}};
    struct http_body http = {.rest = bytes_text("hello"), .step = 100, .length = 5};
    struct s3_body *body;
    (void)state;
    assert_int_equal(s3_body_open(&request, &http, &arena, &body), S3_ERROR_NONE);
    assert_int_equal(s3_body_read_all(body, &to), S3_ERROR_ENTITY_TOO_LARGE);
    http.length = -1; /* Chunked: nobody says how long. */
    assert_int_equal(s3_body_open(&request, &http, &arena, &body), S3_ERROR_NONE);
    assert_int_equal(s3_body_read_all(body, &to), S3_ERROR_ENTITY_TOO_LARGE);
}

/* ---- Signed streaming ---- */

#define SIG "5555555555555555555555555555555555555555555555555555555555555555"

struct seen {
    unsigned chunks;
    unsigned trailers;
    bool is_denied;
};

static struct status
note_chunk(void *context, bool is_trailer, const uint8_t sha256[32], const uint8_t signature[32])
{
    struct seen *seen = context;
    struct bytes data = bytes_text(seen->chunks == 0 ? "hello" : seen->chunks == 1 ? " world" : "");
    uint8_t want[32];
    assert_int_equal(signature[31], 0x55);
    if (is_trailer) {
        data = bytes_text("x-amz-checksum-crc32:DUoRhQ==\n");
        seen->trailers++;
    } else {
        seen->chunks++;
    }
    assert_ok(digest_sha256(&data, 1, want));
    assert_memory_equal(sha256, want, 32);
    return seen->is_denied ? FAIL(DENIED, "wrong signature") : OK;
}

static enum s3_error
read_signed(enum sigv4_payload payload, const char *text, struct seen *seen, bool has_callback)
{
    ARENA(arena, 65536);
    BUFFER(got, 4096);
    struct s3_request request = chunked_request(11);
    request.target.payload = payload;
    request.checksums.trailer_crc32 = payload == SIGV4_PAYLOAD_STREAMING_TRAILER;
    struct http_body http = {.rest = bytes_text(text), .step = 7, .length = (int64_t)strlen(text)};
    struct s3_body *body;
    assert_int_equal(s3_body_open(&request, &http, &arena, &body), S3_ERROR_NONE);
    if (has_callback) {
        assert_ok(s3_body_on_chunk(body, note_chunk, seen));
    }
    enum s3_error error = s3_body_read_all(body, &got);
    s3_body_done(body);
    return error;
}

#define SIGNED_CHUNKS                                                                              \
    "5;chunk-signature=" SIG "\r\nhello\r\n6;chunk-signature=" SIG "\r\n world\r\n"                \
    "0;chunk-signature=" SIG "\r\n"

static void signed_chunks_are_told_one_by_one(void **state)
{
    struct seen seen = {.chunks = 0};
    (void)state;
    assert_int_equal(
        read_signed(SIGV4_PAYLOAD_STREAMING, SIGNED_CHUNKS "\r\n", &seen, true), S3_ERROR_NONE);
    assert_int_equal(seen.chunks, 3);
    seen = (struct seen){.chunks = 0};
    assert_int_equal(
        read_signed(
            SIGV4_PAYLOAD_STREAMING_TRAILER,
            SIGNED_CHUNKS CRC "x-amz-trailer-signature:" SIG "\r\n\r\n", &seen, true),
        S3_ERROR_NONE);
    assert_int_equal(seen.trailers, 1);
}

static void wrong_chunk_signatures_end_the_body(void **state)
{
    struct seen seen = {.is_denied = true};
    (void)state;
    assert_int_equal(
        read_signed(SIGV4_PAYLOAD_STREAMING, SIGNED_CHUNKS "\r\n", &seen, true),
        S3_ERROR_SIGNATURE_MISMATCH);
    assert_int_equal(
        read_signed(SIGV4_PAYLOAD_STREAMING, SIGNED_CHUNKS "\r\n", &seen, false),
        S3_ERROR_NOT_IMPLEMENTED);
    assert_int_equal(
        read_signed(SIGV4_PAYLOAD_STREAMING, "b\r\nhello world\r\n0\r\n\r\n", &seen, true),
        S3_ERROR_INVALID_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_and_trailer_are_taken_off),
        cmocka_unit_test(an_empty_payload_has_a_trailer_too),
        cmocka_unit_test(wrong_framing_is_refused),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(announced_digests_are_compared),
        cmocka_unit_test(crc64_is_that_of_nvme),
        cmocka_unit_test(a_client_that_goes_away_leaves_an_incomplete_body),
        cmocka_unit_test(too_large_a_document_is_refused),
        cmocka_unit_test(signed_chunks_are_told_one_by_one),
        cmocka_unit_test(wrong_chunk_signatures_end_the_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
