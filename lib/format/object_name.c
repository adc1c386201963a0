/* name_hash32 = SHA-256("triad/v1/name" | 00 | bucket16 | key bytes) */

#include "lib/crypto/digest.h"
#include "lib/format/ids.h"

struct status object_name_hash(const struct id16 *bucket, struct bytes key, uint8_t ret_hash[32])
{
    static const char label[] = "triad/v1/name"; /* Its NUL separates it. */
    struct bytes parts[] = {BYTES_ARRAY(label), id16_view(bucket), key};
    return digest_sha256(parts, 3, ret_hash);
}
