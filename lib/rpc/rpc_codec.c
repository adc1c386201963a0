#include "lib/rpc/rpc_codec.h"

#include "lib/base/check.h"

#include <stdio.h>

grpc_status_code rpc_codec_code(enum status_code code)
{
    switch (code) {
    case STATUS_OK:
        return GRPC_STATUS_OK;
    case STATUS_INVALID:
        return GRPC_STATUS_INVALID_ARGUMENT;
    case STATUS_UNAUTHENTICATED:
        return GRPC_STATUS_UNAUTHENTICATED;
    case STATUS_DENIED:
        return GRPC_STATUS_PERMISSION_DENIED;
    case STATUS_NOT_FOUND:
        return GRPC_STATUS_NOT_FOUND;
    case STATUS_EXISTS:
        return GRPC_STATUS_ALREADY_EXISTS;
    case STATUS_CONFLICT:
    case STATUS_STALE:
        return GRPC_STATUS_FAILED_PRECONDITION;
    case STATUS_CORRUPT:
    case STATUS_IO:
        return GRPC_STATUS_DATA_LOSS;
    case STATUS_FULL:
    case STATUS_TOO_LARGE:
    case STATUS_NO_MEMORY:
        return GRPC_STATUS_RESOURCE_EXHAUSTED;
    case STATUS_RANGE:
        return GRPC_STATUS_OUT_OF_RANGE;
    case STATUS_BUSY:
        return GRPC_STATUS_ABORTED;
    case STATUS_UNAVAILABLE:
        return GRPC_STATUS_UNAVAILABLE;
    case STATUS_TIMEOUT:
        return GRPC_STATUS_DEADLINE_EXCEEDED;
    case STATUS_CANCELLED:
        return GRPC_STATUS_CANCELLED;
    case STATUS_UNKNOWN:
        return GRPC_STATUS_UNKNOWN;
    case STATUS_UNSUPPORTED:
        return GRPC_STATUS_UNIMPLEMENTED;
    case STATUS_INTERNAL:
        return GRPC_STATUS_INTERNAL;
    }
    return GRPC_STATUS_INTERNAL;
}

void rpc_codec_details(enum status_code code, char ret_details[RPC_DETAILS_MAX])
{
    int size =
        snprintf(ret_details, RPC_DETAILS_MAX, "%s: %s", status_name(code), status_text(code));
    CHECK(size > 0 && size < RPC_DETAILS_MAX);
}

/* The code whose name starts details; OK if none does, since a failure is never named so. */
static enum status_code named_code(struct bytes details)
{
    for (enum status_code code = STATUS_INVALID; code <= STATUS_INTERNAL; code++) {
        struct bytes name = bytes_text(status_name(code));
        if (bytes_starts_with(details, name) && details.size > name.size &&
            details.data[name.size] == ':') {
            return code;
        }
    }
    return STATUS_OK;
}

static bool contains(struct bytes details, const char *text)
{
    return details.size > 0 && memmem(details.data, details.size, text, strlen(text)) != NULL;
}

/* gRPC's words (1.51) for a call that found no connection. */
static bool is_unconnected(struct bytes details)
{
    return contains(details, "failed to connect to all addresses") ||
           contains(details, "DNS resolution failed") || contains(details, "empty address list") ||
           contains(details, "Server shutdown") || contains(details, "Server Shutdown");
}

static struct status status_of_grpc(grpc_status_code code, struct bytes details)
{
    switch (code) {
    case GRPC_STATUS_OK:
        return OK;
    case GRPC_STATUS_INVALID_ARGUMENT:
        return FAIL(INVALID, "gRPC refused the call");
    case GRPC_STATUS_UNAUTHENTICATED:
        return FAIL(UNAUTHENTICATED, "gRPC refused the call");
    case GRPC_STATUS_PERMISSION_DENIED:
        return FAIL(DENIED, "gRPC refused the call");
    case GRPC_STATUS_NOT_FOUND:
        return FAIL(NOT_FOUND, "answer of a foreign peer");
    case GRPC_STATUS_ALREADY_EXISTS:
        return FAIL(EXISTS, "answer of a foreign peer");
    case GRPC_STATUS_FAILED_PRECONDITION:
    case GRPC_STATUS_ABORTED:
        return FAIL(CONFLICT, "answer of a foreign peer");
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
        return FAIL(TOO_LARGE, "message above the limit of a side");
    case GRPC_STATUS_OUT_OF_RANGE:
        return FAIL(RANGE, "answer of a foreign peer");
    case GRPC_STATUS_UNIMPLEMENTED:
        return FAIL(UNSUPPORTED, "the peer does not know the method");
    case GRPC_STATUS_DATA_LOSS:
        return FAIL(CORRUPT, "answer of a foreign peer");
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        return FAIL(TIMEOUT, "deadline of a call");
    case GRPC_STATUS_CANCELLED:
        return FAIL(CANCELLED, "call was cancelled");
    case GRPC_STATUS_UNAVAILABLE:
        if (is_unconnected(details)) {
            return FAIL(UNAVAILABLE, "no connection to the peer");
        }
        return FAIL(UNKNOWN, "connection lost during a call");
    case GRPC_STATUS_UNKNOWN:
    case GRPC_STATUS_INTERNAL:
    case GRPC_STATUS__DO_NOT_USE:
        break;
    }
    return FAIL(UNKNOWN, "gRPC failed during a call");
}

struct status rpc_codec_status(grpc_status_code code, struct bytes details)
{
    enum status_code named = named_code(details);
    if (named != STATUS_OK && rpc_codec_code(named) == code) {
        return (struct status){named, 0, STATUS_HERE("answer of the peer")};
    }
    return status_of_grpc(code, details);
}
