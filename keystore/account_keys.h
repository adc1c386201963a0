#pragma once

/*
 * Blob accounts as the key store knows them: the id key, and a signing pair for each access type,
 * made with an overlap of their lives (FORMATS 4 and 7, DESIGN 3). Any thread.
 */

#include "keystore/key_row.h"
#include "keystore/vault.h"

enum {
    ACCOUNT_PAIR_LIFE_S = 60 * 24 * 3600,
    ACCOUNT_PAIR_ROTATE_S = 30 * 24 * 3600,
    ACCOUNT_PAIR_PUBLISH_S = 300, /* A new pair is known this long before its first use. */
    ACCOUNT_PAIRS_MAX = KEYSET_KEYS_MAX,
};

/* Make the account: id key, epochs, a pair for each access type, usable at once. Does nothing for
 * one that exists; *ret_is_new tells. */
MUST_CHECK struct status account_keys_create(
    struct vault *vault, const struct id16 *account, uint64_t now_s, bool *ret_is_new);

MUST_CHECK struct status
account_keys_row(struct vault *vault, const struct id16 *account, struct account_row *ret_row);

MUST_CHECK struct status account_keys_id_key(
    struct vault *vault, const struct id16 *account, const struct account_row *row,
    struct secret **ret_key);

/* What signs a token of this access type now. */
struct account_pair {
    uint8_t alg;
    uint8_t kid[SIGNATURE_KID_SIZE];
    uint64_t naf;
    struct secret *pkcs8; /* Owned. */
};
void account_keys_pair_done(struct account_pair *pair);
MUST_CHECK struct status account_keys_signing_pair(
    struct vault *vault, const struct id16 *account, enum token_perm perm, uint64_t now_s,
    struct account_pair *ret_pair);

/* The pairs that a keyset made now names. Views live during the call. */
typedef struct status account_pair_fn(
    void *context, enum token_perm perm, const uint8_t kid[SIGNATURE_KID_SIZE],
    const struct pair_row *pair);
MUST_CHECK struct status account_keys_each_pair(
    struct vault *vault, const struct id16 *account, account_pair_fn *each, void *context);

typedef struct status account_fn(void *context, const struct id16 *account);
MUST_CHECK struct status account_keys_each(struct vault *vault, account_fn *each, void *context);

/* Add a pair where the newest is older than its rotation, drop pairs that ended. *ret_changed
 * counts accounts that changed: their keysets must be signed anew. */
MUST_CHECK struct status
account_keys_rotate(struct vault *vault, uint64_t now_s, uint32_t *ret_changed);

/* Versions of the integrity key, rising. */
typedef struct status
account_integrity_fn(void *context, uint32_t version, const struct secret *key);
MUST_CHECK struct status
account_keys_each_integrity(struct vault *vault, account_integrity_fn *each, void *context);

/* seconds since 2020, what epochs and their like start from. */
uint32_t account_keys_epoch(uint64_t now_s);
