/*
 * Makes one RPC with given certificates and prints what came: for tests that play the attacker.
 *
 *   rpc_probe CA CERT KEY CLUSTER TARGET TLS_NAME ROLE SERVICE METHOD REQUEST_HEX [CAPABILITY_HEX
 * [PAYLOAD_HEX]]
 *
 * Prints "STATUS_NAME reply_hex payload_hex". SERVICE is blob, content, identity or keys.
 */

#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/rpc/rpc_client.h"
#include "proto/blob.pb-c.h"
#include "proto/content.pb-c.h"
#include "proto/key.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 4 * 1024 * 1024, DEADLINE_MS = 8000 };

static const ProtobufCServiceDescriptor *service_of(const char *name)
{
    if (strcmp(name, "blob") == 0) {
        return &triad__blob__blob__descriptor;
    }
    if (strcmp(name, "content") == 0) {
        return &triad__content__content__descriptor;
    }
    if (strcmp(name, "identity") == 0) {
        return &triad__key__identity__descriptor;
    }
    return strcmp(name, "keys") == 0 ? &triad__key__keys__descriptor : NULL;
}

/* The bytes of a hexadecimal argument; the process ends if it is none. */
static struct bytes argument(const char *text)
{
    size_t size = strlen(text) / 2;
    uint8_t *data = malloc(size + 1);
    if (data == NULL || !hex_decode(bytes_text(text), data, size)) {
        fprintf(stderr, "rpc_probe: not hexadecimal: %s\n", text);
        exit(EXIT_FAILURE);
    }
    return bytes_of(data, size);
}

static void print_hex(struct bytes bytes)
{
    printf(" ");
    for (size_t i = 0; i < bytes.size; i++) {
        printf("%02x", bytes.data[i]);
    }
}

static void print_reply(const struct rpc_reply *reply)
{
    size_t size = protobuf_c_message_get_packed_size(reply->message);
    uint8_t *packed = malloc(size + reply->payload.size + 1);
    if (packed == NULL) {
        exit(EXIT_FAILURE);
    }
    protobuf_c_message_pack(reply->message, packed);
    print_hex(bytes_of(packed, size));
    rpc_pieces_copy(&reply->payload, 0, packed, reply->payload.size);
    print_hex(bytes_of(packed, reply->payload.size));
    free(packed);
}

static struct status probe(char **argv, int argc)
{
    struct rpc_client_options options = {
        .tls = {.ca_file = argv[1], .cert_file = argv[2], .key_file = argv[3], .cluster = argv[4]},
        .message_max = MESSAGE_MAX,
        .arena_max = 4 * MESSAGE_MAX,
    };
    OWNED(rpc_client) struct rpc_client *client = NULL;
    TRY(rpc_client_start(&options, &client));
    OWNED(rpc_channel) struct rpc_channel *channel = NULL;
    TRY(rpc_channel_open(
        client, argv[5], argv[6], rpc_role_of_name(bytes_text(argv[7])), &channel));

    const ProtobufCServiceDescriptor *service = service_of(argv[8]);
    const ProtobufCMethodDescriptor *method =
        service != NULL ? protobuf_c_service_descriptor_get_method_by_name(service, argv[9]) : NULL;
    if (method == NULL) {
        return FAIL(INVALID, "no such service or method");
    }
    struct bytes packed = argument(argv[10]);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(method->input, NULL, packed.size, packed.data);
    if (message == NULL) {
        return FAIL(INVALID, "the request is not one of this method");
    }
    struct rpc_slice slice = {.bytes = argc > 12 ? argument(argv[12]) : bytes_of(NULL, 0)};
    struct rpc_request request = {
        .service = service,
        .method = argv[9],
        .message = message,
        .capability = argc > 11 ? argument(argv[11]) : bytes_of(NULL, 0),
        .payload = {.slices = &slice, .count = slice.bytes.size > 0 ? 1 : 0},
        .deadline_ms = clock_monotonic_ms() + DEADLINE_MS,
    };
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    struct status status = rpc_call_wait(channel, &request, &reply);
    printf("%s", status_name(status.code));
    if (status_ok(status)) {
        print_reply(reply);
    }
    printf("\n");
    protobuf_c_message_free_unpacked(message, NULL);
    return OK;
}

int main(int argc, char **argv)
{
    if (argc < 11) {
        fprintf(stderr, "rpc_probe: too few arguments; see the head of rpc_probe.c\n");
        return EXIT_FAILURE;
    }
    setenv("GRPC_VERBOSITY", "NONE", 0);
    struct status status = probe(argv, argc);
    if (!status_ok(status)) {
        fprintf(stderr, "rpc_probe: %s\n", status.where);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
