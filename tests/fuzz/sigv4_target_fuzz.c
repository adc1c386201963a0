/* A canonical request has one reading: building it again from that reading gives the same bytes. */

#include "lib/base/check.h"
#include "lib/s3/bucket_name.h"
#include "lib/s3/canonical_request.h"
#include "lib/s3/s3_operation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The line at the front of rest. */
static struct bytes take_line(struct bytes *rest)
{
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    CHECK(end != NULL);
    struct bytes line = bytes_slice(*rest, 0, (size_t)(end - rest->data));
    *rest = bytes_from(*rest, line.size + 1);
    return line;
}

static void check_same(struct bytes canonical, const struct sigv4_target *target)
{
    ARENA(arena, 1 << 20);
    BUFFER(again, SIGV4_CANONICAL_MAX);
    struct bytes rest = canonical;
    struct canonical_request_input input = {
        .method = take_line(&rest),
        .path = take_line(&rest),
        .query = take_line(&rest),
        .headers = target->headers,
        .header_count = target->header_count,
        .signed_headers = target->signed_headers,
    };
    const uint8_t *last = memrchr(canonical.data, '\n', canonical.size);
    CHECK(last != NULL);
    input.payload_hash = bytes_from(canonical, (size_t)(last - canonical.data) + 1);
    struct bytes ignored;
    if (sigv4_target_parameter(target, "X-Amz-Signature", &ignored)) {
        return; /* Left out by the builder, so no built request has it. */
    }
    CHECK(status_ok(canonical_request_build(&input, &arena, &again)));
    CHECK(bytes_equal(buffer_bytes(&again), canonical));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena, 1 << 20);
    struct sigv4_target target;
    struct bytes canonical = bytes_of(data, size);
    struct bytes domain = bytes_text(size % 2 == 0 ? "" : "s3.example.org");
    if (!status_ok(sigv4_target_parse(canonical, domain, &arena, &target))) {
        return 0;
    }
    CHECK(target.bucket.size == 0 || bucket_name_is_valid(target.bucket));
    CHECK(target.key.size == 0 || bucket_name_key_is_valid(target.key));
    CHECK(target.host.size > 0 && target.header_count <= SIGV4_HEADERS_MAX);
    CHECK(s3_operation_name(s3_operation_of(&target)) != NULL);
    check_same(canonical, &target);
    return 0;
}
