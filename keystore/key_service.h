#pragma once

/*
 * The key store's state, and its two gRPC services on it: Identity and Keys. identity_service.c
 * and keys_service.c hold the handlers.
 */

#include "keystore/account_keys.h"
#include "keystore/audit.h"
#include "keystore/authorize_budget.h"
#include "keystore/grants.h"
#include "keystore/identity_store.h"
#include "keystore/key_hierarchy.h"
#include "keystore/key_release.h"
#include "keystore/keysets.h"
#include "keystore/registry.h"
#include "keystore/shards.h"
#include "lib/rpc/rpc_server.h"

struct key_service_options {
    const char *data_dir;
    const char *cluster;
    const char *s3_domain;
    const struct secret *slot_key; /* Only while it opens. */
    int64_t clock_skew_s;
    uint64_t token_life_s;
    uint64_t grant_life_s;
    uint64_t handle_life_s;
    uint64_t authorize_rate_max;
    size_t cache_entries;
    void (*on_fatal)(void *context, struct status status); /* A vault or the audit log. */
};

struct key_service {
    struct key_service_options options;
    struct vault *identity_vault; /* Owned, as all here. */
    struct vault *keys_vault;
    struct identity_store *identities;
    struct key_hierarchy *hierarchy;
    struct grants *grants;
    struct secret *handle_key;
    struct keysets *keysets;
    struct shards *shards;
    struct registry *registry;
    struct audit *audit;
    struct authorize_budget *budget;
    struct key_release release;
};

/* Make both vaults with their first keys in data_dir. EXISTS where they are; what a crash left
 * half made is completed. */
MUST_CHECK struct status key_service_init(const char *data_dir, const struct secret *slot_key);

/* Unseal and open. NOT_FOUND: not initialised. DENIED: the wrong key file. */
MUST_CHECK struct status
key_service_open(const struct key_service_options *options, struct key_service **ret_service);
void key_service_free(struct key_service *service);

/* The two services with their method tables, for rpc_server_start. */
enum { KEY_SERVICE_COUNT = 2 };
void key_service_tables(struct key_service *service, struct rpc_service ret_services[2]);

/* The rpc server's admit hook; context is the service. */
struct status key_service_admit(void *context, const struct rpc_peer *peer, const char *method);

/* An audit record of this call, durable on return. subject16 may be NULL. */
MUST_CHECK struct status key_service_record(
    struct key_service *service, struct rpc_call *call, enum audit_kind kind, uint32_t number,
    const uint8_t *subject16);

/* Rotate signing pairs that are due. */
MUST_CHECK struct status key_service_rotate(struct key_service *service);

DEFINE_OWNED(key_service)
