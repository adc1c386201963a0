#pragma once

/*
 * Bulk bytes that travel beside a message by reference, uncopied.
 *
 * On the wire a payload is field 15 (bytes) of the message, packed last, so any protobuf
 * implementation reads it; in our code the .proto does not declare it and it never passes
 * through protobuf-c.
 */

#include "lib/base/bytes.h"

enum { RPC_PAYLOAD_FIELD = 15, RPC_SLICES_MAX = 1024 };

/* release(arg) runs once, on any thread, when gRPC no longer needs the bytes: possibly long after
 * the call ended. It must not block. NULL: the slice is copied instead. */
struct rpc_slice {
    struct bytes bytes;
    void (*release)(void *arg);
    void *arg;
};

/* What is sent; the array is borrowed until the start function returns. */
struct rpc_payload {
    const struct rpc_slice *slices;
    size_t count;
};

/* What arrived: pieces of at most 8 KiB usually. Borrowed from the call or reply. */
struct rpc_pieces {
    const struct bytes *pieces;
    size_t count;
    size_t size; /* Of all pieces. */
};

/* Copy size bytes from offset; the range must lie inside. */
void rpc_pieces_copy(const struct rpc_pieces *pieces, size_t offset, void *to, size_t size);
