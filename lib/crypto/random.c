#include "lib/crypto/random.h"

#include "lib/base/check.h"

#include <limits.h>

#include <openssl/rand.h>

struct status random_bytes(void *to, size_t size)
{
    CHECK(size <= INT_MAX);
    if (size > 0 && RAND_bytes(to, (int)size) != 1) {
        return FAIL(INTERNAL, "random generator");
    }
    return OK;
}
