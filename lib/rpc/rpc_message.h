#pragma once

/*
 * A message on the wire: the packed protobuf, then, last, field 15 with the bulk bytes.
 *
 *     [ fields of the message ][ 0x7A ][ varint length ][ payload ... ]
 *
 * Sending: the head is one slice that is wiped when gRPC is done with it, the payload follows by
 * reference. Receiving: the head is unpacked into an arena, the payload stays where it arrived.
 */

#include "lib/base/arena.h"
#include "lib/base/status.h"
#include "lib/rpc/rpc_payload.h"

#include <grpc/byte_buffer.h>
#include <grpc/slice_buffer.h>
#include <protobuf-c/protobuf-c.h>

/* Append a slice; release runs once whatever becomes of the buffer. */
void rpc_message_add_slice(grpc_slice_buffer *slices, struct rpc_slice slice);

/* Pack message and move the slices behind it; payload is emptied on success. */
MUST_CHECK struct status rpc_message_pack(
    const ProtobufCMessage *message, grpc_slice_buffer *payload, grpc_byte_buffer **ret_bytes);

/*
 * Unpack into arena. The payload's pieces and possibly parts of the parse point into bytes, which
 * the caller keeps. INVALID: not such a message; TOO_LARGE: the arena's limit; NO_MEMORY.
 */
MUST_CHECK struct status rpc_message_unpack(
    const grpc_byte_buffer *bytes, const ProtobufCMessageDescriptor *descriptor,
    struct arena *arena, ProtobufCMessage **ret_message, struct rpc_pieces *ret_payload);
