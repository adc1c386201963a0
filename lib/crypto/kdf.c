/*
 * D(K, label, ctx) = HMAC-SHA-256(K, 00000001 | label | 00 | ctx | 00000100)
 *
 * One iteration of SP 800-108 in counter mode: counter 1, and the output's length of 256 bits.
 */

#include "lib/crypto/kdf.h"

#include "lib/base/check.h"
#include "lib/crypto/digest.h"

enum { KDF_PARTS_MAX = 8 };

struct status kdf_derive(
    const struct secret *key, const char *label, const struct bytes *parts, size_t count,
    struct secret **ret_key)
{
    static const uint8_t counter[4] = {0, 0, 0, 1};
    static const uint8_t zero[1] = {0};
    static const uint8_t bits[4] = {0, 0, 1, 0};
    CHECK(secret_size(key) == SECRET_KEY_SIZE);
    CHECK(count <= KDF_PARTS_MAX);

    struct bytes all[KDF_PARTS_MAX + 4];
    size_t used = 0;
    all[used++] = BYTES_ARRAY(counter);
    all[used++] = bytes_text(label);
    all[used++] = BYTES_ARRAY(zero);
    for (size_t i = 0; i < count; i++) {
        all[used++] = parts[i];
    }
    all[used++] = BYTES_ARRAY(bits);

    OWNED(secret) struct secret *derived = NULL;
    TRY(secret_new(SECRET_KEY_SIZE, &derived));
    TRY(digest_hmac(secret_bytes(key), all, used, secret_data(derived)));
    *ret_key = TAKE(derived);
    return OK;
}

struct status
kdf_derive1(const struct secret *key, const char *label, struct bytes ctx, struct secret **ret_key)
{
    return kdf_derive(key, label, &ctx, 1, ret_key);
}
