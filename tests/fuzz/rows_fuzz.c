/* No row value crashes a decoder; what decodes encodes to the same bytes. The first byte chooses
 * the row. */

#include "contentdb/rows.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS(X)                                                                                    \
    X(0, name)                                                                                     \
    X(1, tenant_bucket)                                                                            \
    X(2, bucket)                                                                                   \
    X(3, usage)                                                                                    \
    X(4, object)                                                                                   \
    X(5, reference)                                                                                \
    X(6, upload)                                                                                   \
    X(7, part)                                                                                     \
    X(8, lease)                                                                                    \
    X(9, account)                                                                                  \
    X(10, steward)                                                                                 \
    X(11, stamp)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct bytes value = bytes_of(data + 1, size - 1);
    BUFFER(again, 128 * 1024);
#define CASE(number, type)                                                                         \
    case number: {                                                                                 \
        struct row_##type row;                                                                     \
        if (status_ok(rows_##type##_decode(value, &row))) {                                        \
            rows_##type##_encode(&again, &row);                                                    \
            CHECK(bytes_equal(buffer_bytes(&again), value));                                       \
        }                                                                                          \
        break;                                                                                     \
    }
    switch (data[0]) {
        ROWS(CASE)
    default: {
        uint64_t last = 0;
        if (status_ok(rows_last_decode(value, &last))) {
            rows_last_encode(&again, last);
            CHECK(bytes_equal(buffer_bytes(&again), value));
        }
    }
    }
    return 0;
}
