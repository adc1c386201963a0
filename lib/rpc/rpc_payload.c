#include "lib/rpc/rpc_payload.h"

#include "lib/base/check.h"

void rpc_pieces_copy(const struct rpc_pieces *pieces, size_t offset, void *to, size_t size)
{
    CHECK(offset <= pieces->size && size <= pieces->size - offset);
    uint8_t *out = to;
    for (size_t i = 0; size > 0; i++) {
        CHECK(i < pieces->count);
        struct bytes piece = pieces->pieces[i];
        if (offset >= piece.size) {
            offset -= piece.size;
            continue;
        }
        size_t part = piece.size - offset;
        part = part < size ? part : size;
        memcpy(out, piece.data + offset, part);
        out += part;
        size -= part;
        offset = 0;
    }
}
