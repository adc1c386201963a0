/* A head is one request or none; what is taken as one agrees with itself. */

#include "frontend/http_request.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena, 65536);
    struct bytes bytes = bytes_of(data, size);
    struct http_request request;
    unsigned http_status = 0;
    size_t end = 0;
    if (size > HTTP_HEAD_MAX || !status_ok(http_request_find_end(bytes, &end)) || end == 0) {
        return 0;
    }
    CHECK(end <= size);
    bytes.size = end;
    if (!status_ok(http_request_parse(bytes, HTTP_HEADERS_MAX, &arena, &request, &http_status))) {
        CHECK(http_status >= 400 && http_status <= 505);
        return 0;
    }
    CHECK(request.path.size > 0 && request.path.data[0] == '/');
    CHECK(request.header_count <= HTTP_HEADERS_MAX && request.host.size > 0);
    CHECK(http_request_header_count(&request, "host") == 1);
    CHECK(
        http_request_header_count(&request, "content-length") +
            http_request_header_count(&request, "transfer-encoding") <=
        1);
    CHECK(memchr(request.target.data, ' ', request.target.size) == NULL);
    return 0;
}
