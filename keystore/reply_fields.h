#pragma once

/* Fields of protobuf-c messages to and from our own values; memory of the call's arena. */

#include "lib/base/arena.h"
#include "lib/base/status.h"
#include "lib/format/ids.h"
#include "proto/key.pb-c.h"

static inline struct bytes field_view(const ProtobufCBinaryData *field)
{
    return bytes_of(field->data, field->len);
}

/* Exactly 16 bytes, else INVALID. */
MUST_CHECK struct status
reply_fields_take_id(const ProtobufCBinaryData *field, struct id16 *ret_id);

MUST_CHECK struct status
reply_fields_put(struct arena *arena, struct bytes bytes, ProtobufCBinaryData *field);

/* Zero bytes become "". */
MUST_CHECK struct status
reply_fields_put_text(struct arena *arena, struct bytes bytes, char **ret_text);
