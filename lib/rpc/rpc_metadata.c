#include "lib/rpc/rpc_metadata.h"

static const char capability_key[] = "triad-cap-bin";
static const char request_key[] = "triad-request-id";

/* The value lies in the array: small slices are inline. */
static struct bytes find(const grpc_metadata_array *metadata, const char *key)
{
    for (size_t i = 0; i < metadata->count; i++) {
        const grpc_metadata *entry = &metadata->metadata[i];
        if (grpc_slice_str_cmp(entry->key, key) == 0) {
            return bytes_of(GRPC_SLICE_START_PTR(entry->value), GRPC_SLICE_LENGTH(entry->value));
        }
    }
    return bytes_of(NULL, 0);
}

struct status
rpc_metadata_capability(const grpc_metadata_array *metadata, struct bytes *ret_capability)
{
    struct bytes capability = find(metadata, capability_key);
    if (capability.size > RPC_CAPABILITY_MAX) {
        return FAIL(INVALID, "capability is too long");
    }
    *ret_capability = capability;
    return OK;
}

static bool is_safe(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

void rpc_metadata_request_id(const grpc_metadata_array *metadata, char ret_id[32])
{
    struct bytes id = find(metadata, request_key);
    ret_id[0] = '\0';
    if (id.size > 31) {
        return;
    }
    for (size_t i = 0; i < id.size; i++) {
        if (!is_safe(id.data[i])) {
            return;
        }
    }
    if (id.size > 0) {
        memcpy(ret_id, id.data, id.size);
    }
    ret_id[id.size] = '\0';
}

size_t rpc_metadata_make(
    struct bytes capability, const char *request_id, grpc_metadata to[RPC_METADATA_SENT_MAX])
{
    size_t count = 0;
    memset(to, 0, RPC_METADATA_SENT_MAX * sizeof(to[0]));
    if (capability.size > 0) {
        to[count].key = grpc_slice_from_static_string(capability_key);
        to[count++].value =
            grpc_slice_from_copied_buffer((const char *)capability.data, capability.size);
    }
    /* Only what the server would take; gRPC refuses a call with unprintable metadata. */
    size_t size = strnlen(request_id, 32);
    bool is_fit = size > 0 && size <= 31;
    for (size_t i = 0; is_fit && i < size; i++) {
        is_fit = is_safe((uint8_t)request_id[i]);
    }
    if (is_fit) {
        to[count].key = grpc_slice_from_static_string(request_key);
        to[count++].value = grpc_slice_from_copied_buffer(request_id, size);
    }
    return count;
}
