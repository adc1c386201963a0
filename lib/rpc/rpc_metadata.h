#pragma once

/* What travels beside a message: the capability (a token or grant) and the request id. */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

#include <grpc/grpc.h>

enum { RPC_CAPABILITY_MAX = 8192, RPC_METADATA_MAX = 24 * 1024, RPC_METADATA_SENT_MAX = 2 };

/* The capability in received metadata, which keeps the bytes; empty if absent. */
MUST_CHECK struct status
rpc_metadata_capability(const grpc_metadata_array *metadata, struct bytes *ret_capability);

/* The request id, or "" if there is none of at most 31 safe characters. */
void rpc_metadata_request_id(const grpc_metadata_array *metadata, char ret_id[32]);

/* Fill what a call sends; the slices are the caller's to unref. Returns their number. */
size_t rpc_metadata_make(
    struct bytes capability, const char *request_id, grpc_metadata to[RPC_METADATA_SENT_MAX]);
