/* No keyset crashes. The root is the one of the known answers, so that the seed opens. */

#include "lib/base/check.h"
#include "lib/base/hex.h"
#include "lib/capability/keyset.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char root_text[] =
        "302a300506032b6570032100"
        "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
    uint8_t root[44];
    struct id16 account;
    CHECK(hex_decode(bytes_text(root_text), root, sizeof(root)));
    memset(account.bytes, 0x44, sizeof(account.bytes));
    OWNED(keyset) struct keyset *keyset = NULL;
    struct status status = keyset_open(
        bytes_of(data, size), SIGNATURE_ED25519, BYTES_ARRAY(root), &account, 1700000200, &keyset);
    if (status_ok(status)) {
        CHECK(keyset_content(keyset)->keys_count <= KEYSET_KEYS_MAX);
        CHECK(!keyset_is_denied(keyset, &account));
    }
    return 0;
}
