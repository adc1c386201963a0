#pragma once

/*
 * What a frontend or the steward holds between requests: for each account its tokens, id key and
 * keyset, and the cluster's integrity keys.
 *
 * A background thread fetches what is missing, renews tokens at half their life and at once when
 * our certificate changes, and fetches keysets every 20 s. Lookups never block on the network and
 * may be called by any thread: UNAVAILABLE or NULL means not (yet) there.
 */

#include "keystore/key_client.h"

struct key_wallet;

struct key_wallet_options {
    struct rpc_client *rpc;     /* Outlives the wallet. */
    struct key_client *client;  /* Outlives the wallet. */
    unsigned perms;             /* enum token_perm, or-ed: a token of each for each account. */
    int64_t keyset_interval_ms; /* 0: 20 s. */
};

MUST_CHECK struct status
key_wallet_start(const struct key_wallet_options *options, struct key_wallet **ret_wallet);

/* Stops the thread, wipes everything. */
void key_wallet_free(struct key_wallet *wallet);

/* The accounts to serve from now on, a copy; those left out lose tokens and keyset. */
MUST_CHECK struct status
key_wallet_set_accounts(struct key_wallet *wallet, const struct id16 *accounts, size_t count);

/* Fetch now, in the background: a node refused a token, a new account came. */
void key_wallet_refresh_now(struct key_wallet *wallet);

/* Wait until everything of every account is there; TIMEOUT at deadline_ms. */
MUST_CHECK struct status key_wallet_wait_ready(struct key_wallet *wallet, int64_t deadline_ms);

/* A token of one account; context is the wallet (this is blob_client's token callback). */
MUST_CHECK struct status key_wallet_token(
    void *context, const struct id16 *account, enum token_perm perm, uint8_t ret_token[TOKEN_SIZE]);

/* IDK of an account, NULL if unknown. Never changes, borrowed until key_wallet_free, also after
 * the account was left out. */
const struct secret *key_wallet_id_key(struct key_wallet *wallet, const struct id16 *account);

/* IK of a version, 0: the current one; NULL if unknown. ret_version (may be NULL) gets its number.
 * Borrowed until key_wallet_free. */
const struct secret *
key_wallet_integrity_key(struct key_wallet *wallet, uint32_t version, uint32_t *ret_version);

/* Append the account's keyset, as signed, to buffer (may be NULL); NOT_FOUND if none. */
MUST_CHECK struct status key_wallet_keyset(
    struct key_wallet *wallet, const struct id16 *account, struct buffer *buffer,
    uint64_t *ret_version);

DEFINE_OWNED(key_wallet)
