/* No grant crashes, and none of the fuzzer's own making verifies. */

#include "lib/base/check.h"
#include "lib/capability/grant.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t cert[32];
    struct bytes encoded = bytes_of(data, size);
    struct grant grant;
    OWNED(secret) struct secret *key = NULL;
    if (!status_ok(grant_decode(encoded, &grant)) ||
        !status_ok(secret_new_random(SECRET_KEY_SIZE, &key))) {
        return 0;
    }
    CHECK(!status_ok(grant_verify(key, encoded, grant.exp - 1, cert, 0, &grant)));
    return 0;
}
