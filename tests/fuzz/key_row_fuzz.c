/* No row of the key store's vaults crashes a decoder; what decodes encodes to the same bytes. The
 * first byte chooses the row. */

#include "keystore/key_row.h"

#include "keystore/identity_row.h"
#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS(X)                                                                                    \
    X(0, key_row, tenant, tenant_row)                                                              \
    X(1, key_row, bucket, bucket_row)                                                              \
    X(2, key_row, account, account_row)                                                            \
    X(3, key_row, pair, pair_row)                                                                  \
    X(4, key_row, online, online_key_row)                                                          \
    X(5, key_row, shard, shard_row)                                                                \
    X(6, key_row, certificate, registry_row)                                                       \
    X(7, identity_row, tenant, identity_tenant_row)                                                \
    X(8, identity_row, user, identity_user_row)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 64 * 1024) {
        return 0;
    }
    struct bytes value = bytes_of(data + 1, size - 1);
    BUFFER(again, 128 * 1024);
    switch (data[0]) {
#define X(number, module, name, type)                                                              \
    case number: {                                                                                 \
        struct type row;                                                                           \
        if (status_ok(module##_decode_##name(value, &row))) {                                      \
            module##_encode_##name(&again, &row);                                                  \
            CHECK(bytes_equal(buffer_bytes(&again), value));                                       \
        }                                                                                          \
        break;                                                                                     \
    }
        ROWS(X)
#undef X
    default:
        break;
    }
    return 0;
}
