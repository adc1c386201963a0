/* A segment that decodes encodes to the same bytes; pages of any bytes are refused or not. */

#include "lib/base/check.h"
#include "lib/format/version_record.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    struct segment_entry segment;
    BUFFER(again, SEGMENT_SIZE);
    if (status_ok(segment_entry_decode(input, &segment))) {
        segment_entry_encode(&again, &segment);
        CHECK(bytes_equal(buffer_bytes(&again), input));
    }
    struct id16 version = {{0}};
    struct bytes entries;
    OWNED(secret) struct secret *key = NULL;
    if (status_ok(secret_new(SECRET_KEY_SIZE, &key)) &&
        status_ok(segment_page_verify(key, &version, 0, input, &entries))) {
        CHECK(entries.size % SEGMENT_SIZE == 0);
    }
    return 0;
}
