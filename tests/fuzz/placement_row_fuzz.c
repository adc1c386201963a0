/* A placement that decodes encodes to the same bytes; the first byte is the count. */

#include "lib/format/placement_row.h"

#include "lib/base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct placement_entry entries[UINT8_MAX];
    if (size == 0) {
        return 0;
    }
    struct bytes row = bytes_of(data + 1, size - 1);
    BUFFER(again, 64 * 1024);
    if (status_ok(placement_decode(row, entries, data[0]))) {
        placement_encode(&again, entries, data[0]);
        CHECK(bytes_equal(buffer_bytes(&again), row));
    }
    return 0;
}
