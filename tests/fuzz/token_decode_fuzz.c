/* No token crashes; one that decodes has one permission and no reserved bits. */

#include "lib/base/check.h"
#include "lib/capability/token.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct token token;
    if (status_ok(token_decode(bytes_of(data, size), &token))) {
        CHECK(__builtin_popcount(token.perm) == 1 && token.exp > token.nbf);
        CHECK(token_perm_index((enum token_perm)token.perm) < KEYSET_PERMS);
    }
    return 0;
}
