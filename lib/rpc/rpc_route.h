#pragma once

/* The methods of a server by their full name, "/package.Service/Method". Constant once made. */

#include "lib/base/cleanup.h"
#include "lib/rpc/rpc_server.h"

struct rpc_route {
    char *path; /* Owned. */
    const struct rpc_method *method;
    const ProtobufCMethodDescriptor *descriptor;
    void *context; /* Outlives us. */
};

struct rpc_routes;

/* INVALID if a row names no method of its service; a method without a row is simply not there. */
MUST_CHECK struct status
rpc_route_new(const struct rpc_service *services, size_t count, struct rpc_routes **ret_routes);
void rpc_routes_free(struct rpc_routes *routes);
DEFINE_OWNED(rpc_routes)

const struct rpc_route *rpc_route_find(const struct rpc_routes *routes, struct bytes path);
