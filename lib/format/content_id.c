/* content10 = lease u48 | upload_seq u32 */

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/format/ids.h"

enum { LEASE_SIZE = 6 };

struct content content_of(uint64_t lease, uint32_t upload_seq)
{
    struct content content;
    CHECK(lease >> 48 == 0);
    encode_u48(content.bytes, lease);
    encode_u32(content.bytes + LEASE_SIZE, upload_seq);
    return content;
}

uint64_t content_lease(const struct content *content)
{
    return decode_u48(content->bytes);
}
