/* No header file crashes; what decodes encodes to the same bytes. */

#include "contentdb/shard_header.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shard_header header;
    if (!status_ok(shard_header_decode(bytes_of(data, size), &header))) {
        return 0;
    }
    BUFFER(again, 64 * 1024);
    shard_header_encode(&header, &again);
    CHECK(bytes_equal(buffer_bytes(&again), bytes_of(data, size)));
    return 0;
}
