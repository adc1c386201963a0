#pragma once

/*
 * The keys that check grants, as the key store's last answer gave them (this hour's and the next),
 * and the check itself. Any thread.
 */

#include "keystore/key_shard.h"
#include "lib/capability/grant.h"
#include "lib/rpc/rpc_identity.h"

struct grant_gate;

MUST_CHECK struct status grant_gate_new(struct grant_gate **ret_gate);
void grant_gate_free(struct grant_gate *gate);

/* Replace all keys. */
void grant_gate_update(struct grant_gate *gate, struct key_grant_keys **take_keys);

/*
 * DENIED unless the grant was made by the key store, is not expired, belongs to the certificate and
 * has one of the rights.
 */
MUST_CHECK struct status grant_gate_check(
    struct grant_gate *gate, struct bytes encoded, uint64_t now_s, const uint8_t cert_sha256[32],
    unsigned rights, struct grant *ret_grant);

/* rpc_server's admit, with the gate as its context: DENIED for a service whose certificate is not,
 * or no longer, in the key store's registry. Operators stand under a CA of their own. */
MUST_CHECK struct status
grant_gate_admit(void *context, const struct rpc_peer *peer, const char *method);

DEFINE_OWNED(grant_gate)
