#pragma once

/*
 * One gRPC channel under a rpc_channel, shared by the calls that run on it: a certificate renewal
 * replaces it, and it is destroyed when its last call ended. Internal to lib/rpc.
 */

#include "lib/base/status.h"
#include "lib/rpc/rpc_tls.h"

#include <stdatomic.h>

#include <grpc/grpc.h>

struct rpc_link {
    atomic_uint references;
    grpc_channel *channel; /* Owned. */
};

struct rpc_link_target {
    const char *target;
    const char *tls_name;
    enum rpc_role role;
    const char *cluster;
    size_t message_max;
};

/* A channel that starts to connect. */
MUST_CHECK struct status rpc_link_new(
    const struct rpc_link_target *target, const struct rpc_tls_material *material,
    struct rpc_link **ret_link);

struct rpc_link *rpc_link_ref(struct rpc_link *link);
void rpc_link_unref(struct rpc_link *link);
