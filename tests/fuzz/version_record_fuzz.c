/* A version record that decodes encodes to the same bytes. */

#include "lib/format/version_record.h"

#include "lib/base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct version_record record;
    uint8_t again[VERSION_RECORD_SIZE];
    if (status_ok(version_record_decode(bytes_of(data, size), &record))) {
        version_record_encode(&record, again);
        CHECK(bytes_equal(BYTES_ARRAY(again), bytes_of(data, size)));
    }
    return 0;
}
