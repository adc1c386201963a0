#include "contentdb/grant_gate.h"

#include <pthread.h>
#include <stdlib.h>

enum { HOUR_S = 3600 };

struct grant_gate {
    pthread_mutex_t mutex;
    struct key_grant_keys *keys; /* Owned; NULL at first. */
};

struct status grant_gate_new(struct grant_gate **ret_gate)
{
    struct grant_gate *gate = calloc(1, sizeof(*gate));
    if (gate == NULL) {
        return FAIL(NO_MEMORY, "grant gate");
    }
    pthread_mutex_init(&gate->mutex, NULL);
    *ret_gate = gate;
    return OK;
}

void grant_gate_free(struct grant_gate *gate)
{
    if (gate == NULL) {
        return;
    }
    key_grant_keys_free(gate->keys);
    pthread_mutex_destroy(&gate->mutex);
    free(gate);
}

void grant_gate_update(struct grant_gate *gate, struct key_grant_keys **take_keys)
{
    OWNED(key_grant_keys) struct key_grant_keys *old = NULL;
    LOCKED(&gate->mutex);
    old = gate->keys;
    gate->keys = TAKE(*take_keys);
}

struct status grant_gate_check(
    struct grant_gate *gate, struct bytes encoded, uint64_t now_s, const uint8_t cert_sha256[32],
    unsigned rights, struct grant *ret_grant)
{
    struct grant grant;
    TRY(grant_decode(encoded, &grant));
    if ((grant.rights & rights) == 0) {
        return FAIL(DENIED, "the grant lacks the right");
    }
    LOCKED(&gate->mutex);
    const struct secret *key = NULL;
    if (gate->keys != NULL && grant.exp / HOUR_S <= UINT32_MAX) {
        key = key_grant_keys_find(gate->keys, grant.key_no, (uint32_t)(grant.exp / HOUR_S));
    }
    if (key == NULL) {
        return FAIL(DENIED, "no key for the grant: expired, or not yet known");
    }
    return grant_verify(key, encoded, now_s, cert_sha256, gate->keys->min_epoch, ret_grant);
}

struct status grant_gate_admit(void *context, const struct rpc_peer *peer, const char *method)
{
    struct grant_gate *gate = context;
    (void)method;
    if (peer->role == RPC_ROLE_OPERATOR) {
        return OK;
    }
    LOCKED(&gate->mutex);
    if (gate->keys == NULL || !key_grant_keys_registered(gate->keys, peer->cert_sha256)) {
        return FAIL(DENIED, "certificate is not registered");
    }
    return OK;
}
