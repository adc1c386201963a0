#include "contentdb/reply_bytes.h"

struct status
reply_bytes_copy(struct arena *arena, struct bytes from, ProtobufCBinaryData *ret_field)
{
    uint8_t *to = arena_alloc(arena, from.size + 1);
    if (to == NULL) {
        return FAIL(NO_MEMORY, "bytes of a reply");
    }
    if (from.size > 0) {
        memcpy(to, from.data, from.size);
    }
    *ret_field = (ProtobufCBinaryData){.len = from.size, .data = to};
    return OK;
}

struct status reply_bytes_text(struct arena *arena, struct bytes from, char **ret_text)
{
    char *text = arena_text(arena, from);
    if (text == NULL) {
        return FAIL(NO_MEMORY, "text of a reply");
    }
    *ret_text = text;
    return OK;
}
