#pragma once

/*
 * Who is asking: the first half of Authorize, on the Identity partition alone. What it finds goes
 * to the Keys partition as one explicit value, so that Identity can become a daemon of its own.
 * Pure but for reads of the vault; any thread.
 */

#include "keystore/identity_store.h"
#include "keystore/key_authorize.h"

/* A proven request: signature, date and policy were judged. Views live in the request's bytes and
 * in the arena. */
struct identity_proof {
    struct id16 tenant;
    char access_key[IDENTITY_ACCESS_KEY_SIZE + 1];
    uint8_t policy_sha256[32];
    enum s3_operation operation;
    struct sigv4_target target;
    uint16_t rights; /* Of a grant for it. */
};

struct identity_prove_options {
    struct bytes domain; /* Of virtual-host buckets; may be empty. */
    int64_t clock_skew_s;
    int64_t now_s;
};

/* KEY_ALLOWED and a proof, or why not. KEY_FAILED: the vault failed. */
enum key_verdict identity_prove(
    struct identity_store *store, const struct identity_prove_options *options,
    const struct key_authorize_item *item, struct arena *arena, struct identity_proof *ret_proof);

/* Does this user still stand as it did when the policy was hashed? For handles. */
enum key_verdict identity_prove_again(
    struct identity_store *store, struct bytes access_key, const struct id16 *tenant,
    const uint8_t policy_sha256[32]);
