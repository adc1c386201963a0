/* chunk_id14 = content10 | n u32 */

#include "lib/base/encode.h"
#include "lib/format/ids.h"

struct chunk_id chunk_id_of(const struct content *content, uint32_t n)
{
    struct chunk_id id;
    memcpy(id.bytes, content->bytes, CONTENT_SIZE);
    encode_u32(id.bytes + CONTENT_SIZE, n);
    return id;
}
