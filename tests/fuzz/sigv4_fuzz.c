/* An authorization, in a header or a query, is whole or refused. */

#include "lib/base/check.h"
#include "lib/s3/canonical_request.h"
#include "lib/s3/s3_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_whole(const struct sigv4_authorization *got)
{
    CHECK(got->access_key.size > 0 && got->access_key.size <= SIGV4_ACCESS_KEY_MAX);
    CHECK(got->date.size == 8 && got->region.size > 0);
    CHECK(got->timestamp.size == S3_TIME_AMZ_SIZE);
    CHECK(got->is_presigned == (got->expires_s > 0));
    CHECK(got->signed_headers.size >= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena, 1 << 20);
    struct bytes text = bytes_of(data, size);
    struct sigv4_authorization got;
    struct sigv4_pair pairs[SIGV4_PARAMETERS_MAX];
    size_t count;
    if (status_ok(sigv4_parse_header(text, bytes_text("20130524T000000Z"), &got))) {
        check_whole(&got);
    }
    if (status_ok(canonical_request_query(&arena, text, pairs, SIGV4_PARAMETERS_MAX, &count)) &&
        status_ok(sigv4_parse_query(pairs, count, &got))) {
        check_whole(&got);
    }
    int64_t time;
    if (s3_time_parse_http(text, &time) || s3_time_parse_iso(text, &time)) {
        CHECK(time >= 0);
    }
    return 0;
}
