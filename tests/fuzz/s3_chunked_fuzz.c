/* aws-chunked: however the bytes are cut, the payload is the same, or refused. */

#include "frontend/s3_chunked.h"

#include "lib/base/buffer.h"
#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In the place of TLS: from memory, in pieces of at most step bytes. */
struct http_body {
    struct bytes rest;
    size_t step;
};

struct status http_body_read(struct http_body *body, void *to, size_t size, size_t *ret_got)
{
    size = size < body->step ? size : body->step;
    size = size < body->rest.size ? size : body->rest.size;
    if (size > 0) {
        memcpy(to, body->rest.data, size);
    }
    body->rest = bytes_from(body->rest, size);
    *ret_got = size;
    return OK;
}

static struct status on_chunk(void *context, const uint8_t *signature)
{
    (void)context;
    (void)signature;
    return OK;
}

static struct status on_trailer(void *context, struct bytes name, struct bytes value)
{
    CHECK(name.size + value.size < S3_CHUNKED_LINE_MAX);
    (void)context;
    return OK;
}

static struct status
decode(struct bytes bytes, bool is_signed, size_t step, size_t piece, struct buffer *payload)
{
    uint8_t to[64];
    struct http_body body = {.rest = bytes, .step = step};
    struct s3_chunked chunked = {
        .body = &body,
        .events = {.on_chunk = on_chunk, .on_trailer = on_trailer},
        .is_signed = is_signed,
        .may_trail = true,
    };
    for (;;) {
        size_t got;
        TRY(s3_chunked_read(&chunked, to, piece, &got));
        if (got == 0) {
            CHECK(chunked.is_finished);
            return OK;
        }
        CHECK(got <= piece);
        buffer_add(payload, bytes_of(to, got));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536) {
        return 0;
    }
    BUFFER(one, 1 << 20);
    BUFFER(other, 1 << 20);
    bool is_signed = data[0] % 2 == 0;
    struct bytes bytes = bytes_of(data + 1, size - 1);
    struct status first = decode(bytes, is_signed, 1, 64, &one);
    struct status second = decode(bytes, is_signed, 1000, 7, &other);
    CHECK(status_ok(first) == status_ok(second));
    CHECK(!status_ok(first) || bytes_equal(buffer_bytes(&one), buffer_bytes(&other)));
    return 0;
}
