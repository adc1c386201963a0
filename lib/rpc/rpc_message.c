#include "lib/rpc/rpc_message.h"

#include "lib/base/check.h"

#include <stdlib.h>
#include <string.h>

#include <grpc/slice.h>

enum {
    TAG_PAYLOAD = RPC_PAYLOAD_FIELD << 3 | 2,
    VARINT_MAX = 10,
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_LENGTH = 2,
    WIRE_32 = 5,
};

static const size_t message_size_max = (size_t)1 << 30;

_Static_assert(TAG_PAYLOAD == 0x7A, "one byte");

void rpc_message_add_slice(grpc_slice_buffer *slices, struct rpc_slice slice)
{
    if (slice.bytes.size == 0) {
        if (slice.release != NULL) {
            slice.release(slice.arg);
        }
        return;
    }
    if (slice.release == NULL) {
        grpc_slice_buffer_add(
            slices,
            grpc_slice_from_copied_buffer((const char *)slice.bytes.data, slice.bytes.size));
        return;
    }
    /* gRPC only reads them, though its slices are not const. */
    void *data = (void *)(uintptr_t)slice.bytes.data;
    grpc_slice_buffer_add(
        slices, grpc_slice_new_with_user_data(data, slice.bytes.size, slice.release, slice.arg));
}

static void wipe_and_free(void *head, size_t size)
{
    explicit_bzero(head, size);
    free(head);
}

static size_t put_varint(uint8_t *to, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80) {
        to[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[size++] = (uint8_t)value;
    return size;
}

struct status rpc_message_pack(
    const ProtobufCMessage *message, grpc_slice_buffer *payload, grpc_byte_buffer **ret_bytes)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > message_size_max || payload->length > message_size_max) {
        return FAIL(TOO_LARGE, "message to send");
    }
    uint8_t *head = malloc(size + 1 + VARINT_MAX);
    if (head == NULL) {
        return FAIL(NO_MEMORY, "message to send");
    }
    CHECK(protobuf_c_message_pack(message, head) == size);
    if (payload->length > 0) {
        head[size++] = TAG_PAYLOAD;
        size += put_varint(head + size, payload->length);
    }

    grpc_slice slice = grpc_slice_new_with_len(head, size, wipe_and_free);
    grpc_byte_buffer *bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    grpc_slice_buffer_move_into(payload, &bytes->data.raw.slice_buffer);
    *ret_bytes = bytes;
    return OK;
}

/* A place in what arrived; reads run across slices. */
struct cursor {
    const grpc_slice_buffer *slices;
    size_t index; /* Slice, and byte within it. */
    size_t within;
    size_t offset; /* From the start of the message. */
};

static struct bytes slice_bytes(const grpc_slice *slice)
{
    return bytes_of(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

static size_t cursor_rest(const struct cursor *cursor)
{
    return cursor->slices->length - cursor->offset;
}

/* What is left of the current slice; empty only at the end. */
static struct bytes cursor_piece(struct cursor *cursor)
{
    while (cursor->index < cursor->slices->count) {
        struct bytes piece = slice_bytes(&cursor->slices->slices[cursor->index]);
        if (cursor->within < piece.size) {
            return bytes_from(piece, cursor->within);
        }
        cursor->index++;
        cursor->within = 0;
    }
    return bytes_of(NULL, 0);
}

/* Advance by size bytes, which are there; copy them if to is not NULL. */
static void cursor_take(struct cursor *cursor, uint8_t *to, size_t size)
{
    CHECK(size <= cursor_rest(cursor));
    cursor->offset += size;
    while (size > 0) {
        struct bytes piece = cursor_piece(cursor);
        CHECK(piece.size > 0);
        size_t part = piece.size < size ? piece.size : size;
        if (to != NULL) {
            memcpy(to, piece.data, part);
            to += part;
        }
        cursor->within += part;
        size -= part;
    }
}

static bool cursor_varint(struct cursor *cursor, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_MAX; shift += 7) {
        struct bytes piece = cursor_piece(cursor);
        if (piece.size == 0) {
            return false;
        }
        uint8_t byte = piece.data[0];
        cursor_take(cursor, NULL, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Step over the value of a field; groups, which proto3 does not have, are refused. */
static bool cursor_skip_value(struct cursor *cursor, unsigned wire)
{
    uint64_t size = 0;
    switch (wire) {
    case WIRE_VARINT:
        return cursor_varint(cursor, &size);
    case WIRE_64:
        size = 8;
        break;
    case WIRE_32:
        size = 4;
        break;
    case WIRE_LENGTH:
        if (!cursor_varint(cursor, &size)) {
            return false;
        }
        break;
    default:
        return false;
    }
    if (size > cursor_rest(cursor)) {
        return false;
    }
    cursor_take(cursor, NULL, (size_t)size);
    return true;
}

/* Find where the head ends; the cursor is left at the payload's first byte, or at the end. */
static struct status find_payload(struct cursor *cursor, size_t *ret_head_size)
{
    while (cursor_rest(cursor) > 0) {
        size_t start = cursor->offset;
        uint64_t tag = 0;
        if (!cursor_varint(cursor, &tag)) {
            return FAIL(INVALID, "message with a bad field number");
        }
        if (tag >> 3 != RPC_PAYLOAD_FIELD) {
            if (!cursor_skip_value(cursor, (unsigned)(tag & 7))) {
                return FAIL(INVALID, "message with a bad field");
            }
            continue;
        }
        uint64_t size = 0;
        if (tag != TAG_PAYLOAD || !cursor_varint(cursor, &size) || size != cursor_rest(cursor)) {
            return FAIL(INVALID, "payload is not the last field");
        }
        *ret_head_size = start;
        return OK;
    }
    *ret_head_size = cursor->offset;
    return OK;
}

static struct status arena_failure(const struct arena *arena, size_t size)
{
    if (size > arena->limit || arena->used > arena->limit - size) {
        return FAIL(TOO_LARGE, "message needs more memory than a call may have");
    }
    return FAIL(NO_MEMORY, "received message");
}

static struct status
collect_pieces(struct cursor *cursor, struct arena *arena, struct rpc_pieces *ret_payload)
{
    *ret_payload = (struct rpc_pieces){.size = cursor_rest(cursor)};
    if (ret_payload->size == 0) {
        return OK;
    }
    size_t room = cursor->slices->count - cursor->index;
    struct bytes *pieces = arena_zalloc(arena, room, sizeof(*pieces));
    if (pieces == NULL) {
        return arena_failure(arena, room * sizeof(*pieces));
    }
    size_t count = 0;
    for (struct bytes piece; (piece = cursor_piece(cursor)).size > 0;) {
        CHECK(count < room);
        pieces[count++] = piece;
        cursor_take(cursor, NULL, piece.size);
    }
    ret_payload->pieces = pieces;
    ret_payload->count = count;
    return OK;
}

/* The head in one piece: where it arrived if it lies in the first slice, else copied. */
static struct status contiguous_head(
    const grpc_slice_buffer *slices, size_t size, struct arena *arena, struct bytes *ret_head)
{
    if (size == 0) {
        *ret_head = bytes_text("");
        return OK;
    }
    struct cursor cursor = {.slices = slices};
    struct bytes first = cursor_piece(&cursor);
    if (first.size >= size) {
        *ret_head = bytes_of(first.data, size);
        return OK;
    }
    uint8_t *copy = arena_alloc(arena, size);
    if (copy == NULL) {
        return arena_failure(arena, size);
    }
    cursor_take(&cursor, copy, size);
    *ret_head = bytes_of(copy, size);
    return OK;
}

/* protobuf-c asks here, so that memory is bounded and a refusal is told from bad bytes. */
struct unpack_memory {
    struct arena *arena;
    struct status failed;
};

static void *unpack_alloc(void *data, size_t size)
{
    struct unpack_memory *memory = data;
    void *allocated = arena_alloc(memory->arena, size);
    if (allocated == NULL) {
        memory->failed = arena_failure(memory->arena, size);
    }
    return allocated;
}

static void unpack_free(void *data, void *allocated)
{
    (void)data; /* The arena frees all at once. */
    (void)allocated;
}

struct status rpc_message_unpack(
    const grpc_byte_buffer *bytes, const ProtobufCMessageDescriptor *descriptor,
    struct arena *arena, ProtobufCMessage **ret_message, struct rpc_pieces *ret_payload)
{
    if (bytes->type != GRPC_BB_RAW || bytes->data.raw.compression != GRPC_COMPRESS_NONE) {
        return FAIL(INVALID, "compressed message");
    }
    const grpc_slice_buffer *slices = &bytes->data.raw.slice_buffer;
    struct cursor cursor = {.slices = slices};
    struct bytes head = {.size = 0}; /* gcc with TSan does not see that it is set. */
    struct rpc_pieces payload;
    size_t head_size = 0;
    TRY(find_payload(&cursor, &head_size));
    TRY(collect_pieces(&cursor, arena, &payload));
    TRY(contiguous_head(slices, head_size, arena, &head));

    struct unpack_memory memory = {.arena = arena, .failed = OK};
    ProtobufCAllocator allocator = {
        .alloc = unpack_alloc, .free = unpack_free, .allocator_data = &memory};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &allocator, head.size, head.data);
    if (message == NULL) {
        TRY(memory.failed);
        return FAIL(INVALID, "message is not of its type");
    }
    *ret_message = message;
    *ret_payload = payload;
    return OK;
}
