#pragma once

/*
 * The content DB's service (proto/content.proto): who may call what, grants, plans and reads.
 * Handlers run in the workers of an rpc_server.
 */

#include "contentdb/grant_gate.h"
#include "lib/kv/kv.h"
#include "lib/rpc/rpc_server.h"

struct content_service;

struct content_service_options {
    struct kv *kv; /* Outlives us, as everything here. */
    struct grant_gate *gate;
    uint32_t shard;
    uint32_t fence;
    uint64_t quarantine_ms;   /* From dead to due. */
    uint64_t steward_life_ms; /* A steward that did not come for so long is replaced. */
    /* False while no anchor could be set: writes answer UNAVAILABLE. May be NULL. */
    bool (*is_writable)(void *context);
    /* A caller has seen a higher fence: another instance has the shard. May be NULL. */
    void (*on_superseded)(void *context, uint32_t fence);
    void *context;
};

MUST_CHECK struct status content_service_new(
    const struct content_service_options *options, struct content_service **ret_service);
void content_service_free(struct content_service *service);

/* For rpc_server_start; the service outlives the server. */
struct rpc_service content_service_describe(struct content_service *service);

DEFINE_OWNED(content_service)
