/* Any bytes, in slices of any size, as a message: bounded memory, and the payload is what is last.
 */

#include "lib/rpc/rpc_message.h"

#include "lib/base/check.h"
#include "tests/unit/rpc/echo.pb-c.h"

#include <grpc/slice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t step = (size_t)data[0] + 1;
    grpc_byte_buffer *bytes = grpc_raw_byte_buffer_create(NULL, 0);
    for (size_t at = 1; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;
        grpc_slice_buffer_add_indexed(
            &bytes->data.raw.slice_buffer,
            grpc_slice_from_copied_buffer((const char *)data + at, part));
    }
    ARENA(arena, 65536);
    ProtobufCMessage *message = NULL;
    struct rpc_pieces payload = {.count = 0};
    if (status_ok(rpc_message_unpack(
            bytes, &triad__test__say_reply__descriptor, &arena, &message, &payload))) {
        CHECK(payload.size < size);
        uint8_t last;
        if (payload.size > 0) {
            rpc_pieces_copy(&payload, payload.size - 1, &last, 1);
            CHECK(last == data[size - 1]);
        }
        CHECK(protobuf_c_message_check(message));
    }
    CHECK(arena.used <= 65536 + 64);
    grpc_byte_buffer_destroy(bytes);
    return 0;
}
