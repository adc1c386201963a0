/* Any bytes as a SAN URI and as a PEM certificate. */

#include "lib/rpc/rpc_identity.h"

#include "lib/base/check.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_peer peer;
    if (status_ok(rpc_identity_parse(bytes_of(data, size), "c1", &peer))) {
        char again[RPC_URI_MAX + 1];
        snprintf(again, sizeof(again), "triad://c1/%s/%s", rpc_role_name(peer.role), peer.id);
        CHECK(bytes_equal(bytes_text(again), bytes_of(data, size)));
        CHECK(bytes_equal(bytes_text(peer.uri), bytes_of(data, size)));
    }
    if (status_ok(rpc_identity_of_pem(bytes_of(data, size), "c1", &peer))) {
        CHECK(peer.role != 0 && peer.id[0] != '\0');
    }
    return 0;
}
