/* A message comes apart into head and payload wherever gRPC cut it, within the arena's limit. */

#include "lib/rpc/rpc_message.h"

#include "tests/support/cmocka.h"
#include "tests/unit/rpc/echo.pb-c.h"

#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>

enum { PAYLOAD = 300 };

static uint8_t payload[PAYLOAD];

static int setup(void **state)
{
    (void)state;
    grpc_init();
    for (size_t i = 0; i < PAYLOAD; i++) {
        payload[i] = (uint8_t)i;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    grpc_shutdown();
    return 0;
}

static void count_release(void *arg)
{
    (*(int *)arg)++;
}

static grpc_byte_buffer *pack(size_t payload_size, int *released)
{
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.text = (char[]){"a text that is longer than one of gRPC's inline slices"};
    message.sleep_ms = 70000;
    grpc_slice_buffer slices;
    grpc_slice_buffer_init(&slices);
    struct rpc_slice slice = {
        .bytes = bytes_of(payload, payload_size), .release = count_release, .arg = released};
    rpc_message_add_slice(&slices, slice);
    grpc_byte_buffer *bytes = NULL;
    assert_ok(rpc_message_pack(&message.base, &slices, &bytes));
    grpc_slice_buffer_destroy(&slices);
    return bytes;
}

/* The same bytes in slices of step bytes each. */
static grpc_byte_buffer *recut(grpc_byte_buffer *bytes, size_t step)
{
    grpc_byte_buffer_reader reader;
    assert_int_equal(grpc_byte_buffer_reader_init(&reader, bytes), 1);
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer *cut = grpc_raw_byte_buffer_create(NULL, 0);
    for (size_t at = 0; at < GRPC_SLICE_LENGTH(all); at += step) {
        size_t end = at + step < GRPC_SLICE_LENGTH(all) ? at + step : GRPC_SLICE_LENGTH(all);
        grpc_slice_buffer_add_indexed(&cut->data.raw.slice_buffer, grpc_slice_sub(all, at, end));
    }
    grpc_slice_unref(all);
    return cut;
}

static void any_cut_unpacks_the_same(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 127, 128, PAYLOAD};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int released = 0;
        grpc_byte_buffer *whole = pack(sizes[i], &released);
        for (size_t step = 1; step <= grpc_byte_buffer_length(whole); step++) {
            grpc_byte_buffer *cut = recut(whole, step);
            ARENA(arena, 1 << 16);
            ProtobufCMessage *message = NULL;
            struct rpc_pieces pieces;
            assert_ok(rpc_message_unpack(
                cut, &triad__test__say_request__descriptor, &arena, &message, &pieces));
            assert_int_equal(((Triad__Test__SayRequest *)message)->sleep_ms, 70000);
            assert_int_equal(pieces.size, sizes[i]);
            uint8_t back[PAYLOAD];
            rpc_pieces_copy(&pieces, 0, back, sizes[i]);
            assert_memory_equal(back, payload, sizes[i]);
            if (sizes[i] > 10) {
                rpc_pieces_copy(&pieces, 7, back, sizes[i] - 9);
                assert_memory_equal(back, payload + 7, sizes[i] - 9);
            }
            grpc_byte_buffer_destroy(cut);
        }
        grpc_byte_buffer_destroy(whole);
        assert_int_equal(released, 1);
    }
}

/* Any protobuf implementation reads the payload as field 15 of bytes. */
static void the_payload_is_an_unknown_field_to_protobuf(void **state)
{
    (void)state;
    int released = 0;
    grpc_byte_buffer *bytes = pack(PAYLOAD, &released);
    grpc_byte_buffer_reader reader;
    assert_int_equal(grpc_byte_buffer_reader_init(&reader, bytes), 1);
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    ProtobufCMessage *message = protobuf_c_message_unpack(
        &triad__test__say_request__descriptor, NULL, GRPC_SLICE_LENGTH(all),
        GRPC_SLICE_START_PTR(all));
    assert_non_null(message);
    assert_int_equal(message->n_unknown_fields, 1);
    assert_int_equal(message->unknown_fields[0].tag, 15);
    assert_int_equal(message->unknown_fields[0].len, PAYLOAD + 2);
    assert_memory_equal(message->unknown_fields[0].data + 2, payload, PAYLOAD);
    protobuf_c_message_free_unpacked(message, NULL);
    grpc_slice_unref(all);
    grpc_byte_buffer_destroy(bytes);
}

static void a_small_arena_is_too_large_not_invalid(void **state)
{
    (void)state;
    int released = 0;
    grpc_byte_buffer *bytes = pack(PAYLOAD, &released);
    for (size_t limit = 0; limit < 160; limit += 16) {
        ARENA(arena, limit);
        ProtobufCMessage *message = NULL;
        struct rpc_pieces pieces;
        assert_status(
            rpc_message_unpack(
                bytes, &triad__test__say_request__descriptor, &arena, &message, &pieces),
            STATUS_TOO_LARGE);
    }
    grpc_byte_buffer_destroy(bytes);
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_unpacks_the_same),
        cmocka_unit_test(the_payload_is_an_unknown_field_to_protobuf),
        cmocka_unit_test(a_small_arena_is_too_large_not_invalid),
    };
    return cmocka_run_group_tests_name("rpc_message", tests, setup, teardown);
}
