#pragma once

/*
 * The registry of live service certificates. What opens keys is refused to a certificate that is
 * not in it, so removing a row revokes at once and a stolen CA gains nothing (DESIGN 1). Any
 * thread; lookups read memory.
 */

#include "keystore/key_row.h"
#include "keystore/vault.h"

enum { REGISTRY_OVERLAP_S = 24 * 3600, REGISTRY_PEM_MAX = 32 * 1024 };

struct registry;

MUST_CHECK struct status
registry_new(struct vault *vault, const char *cluster, struct registry **ret_registry);
void registry_free(struct registry *registry);

/* DENIED unless the peer's certificate is registered, or its role needs no registration: operators
 * stand under a CA of their own, blob nodes call nothing here. */
MUST_CHECK struct status registry_admit(struct registry *registry, const struct rpc_peer *peer);

struct registry_entry {
    uint8_t sha256[32];
    char uri[RPC_URI_MAX + 1];
    uint64_t not_after;
    uint64_t added;
    uint64_t retire_at; /* 0: not being replaced. */
};

/* Register a PEM leaf of a service role; adding it again changes nothing. DENIED: not a service's
 * certificate of this cluster. */
MUST_CHECK struct status
registry_add(struct registry *registry, struct bytes pem, struct registry_entry *ret_entry);

/* A registered certificate registers its successor, once: same URI; the old one lives 24 h more. */
MUST_CHECK struct status registry_renew(
    struct registry *registry, const struct rpc_peer *peer, struct bytes pem,
    struct registry_entry *ret_entry);

/* By URI (all of them), or where uri is empty by fingerprint. */
MUST_CHECK struct status registry_remove(
    struct registry *registry, struct bytes uri, const uint8_t *sha256, uint32_t *ret_removed);

typedef struct status registry_fn(void *context, const struct registry_entry *entry);
MUST_CHECK struct status registry_each(struct registry *registry, registry_fn *each, void *context);

uint32_t registry_count(struct registry *registry);

DEFINE_OWNED(registry)
