/* A key reference that decodes encodes to the same bytes. */

#include "lib/base/check.h"
#include "lib/format/version_record.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_ref ref;
    BUFFER(again, 1024);
    if (status_ok(key_ref_decode(bytes_of(data, size), &ref))) {
        key_ref_encode(&again, &ref);
        CHECK(bytes_equal(buffer_bytes(&again), bytes_of(data, size)));
    }
    return 0;
}
