#include "keystore/reply_fields.h"

struct status reply_fields_take_id(const ProtobufCBinaryData *field, struct id16 *ret_id)
{
    if (field->len != ID16_SIZE) {
        return FAIL(INVALID, "an id must have 16 bytes");
    }
    memcpy(ret_id->bytes, field->data, ID16_SIZE);
    return OK;
}

struct status reply_fields_put(struct arena *arena, struct bytes bytes, ProtobufCBinaryData *field)
{
    uint8_t *copy = arena_alloc(arena, bytes.size + 1);

    if (copy == NULL) {
        return FAIL(NO_MEMORY, "reply");
    }
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    *field = (ProtobufCBinaryData){.len = bytes.size, .data = copy};
    return OK;
}

struct status reply_fields_put_text(struct arena *arena, struct bytes bytes, char **ret_text)
{
    char *text = arena_text(arena, bytes);

    if (text == NULL) {
        return FAIL(NO_MEMORY, "reply");
    }
    *ret_text = text;
    return OK;
}
