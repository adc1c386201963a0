#pragma once

/* Byte fields of a reply: copied into the call's arena, because rows end with their snapshot. */

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <protobuf-c/protobuf-c.h>

MUST_CHECK struct status
reply_bytes_copy(struct arena *arena, struct bytes from, ProtobufCBinaryData *ret_field);
MUST_CHECK struct status reply_bytes_text(struct arena *arena, struct bytes from, char **ret_text);
