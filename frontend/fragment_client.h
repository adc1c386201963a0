#pragma once

/*
 * Fragments to and from the blob accounts, by account number and chunk id: the one place that
 * knows which node, which token and which opaque id that is. Frontend and steward use it.
 *
 * It follows the directory of accounts, gives the wallet and the blob client what they need to
 * know of them, and sees to it that nodes get keysets (keyset_pusher). Any thread.
 */

#include "blobnode/blob_client.h"
#include "contentdb/account_directory.h"
#include "keystore/key_wallet.h"
#include "lib/cluster/placement.h"
#include "lib/format/ids.h"

enum { FRAGMENT_CLIENT_ACCOUNTS_MAX = 512 };

struct fragment_client;

struct fragment_client_options {
    struct rpc_client *rpc_client; /* Outlive us. */
    struct content_client *content_client;
    struct key_client *key_client;
    unsigned perms; /* enum token_perm, or-ed: the tokens that our role needs. */
};

MUST_CHECK struct status fragment_client_start(
    const struct fragment_client_options *options, struct fragment_client **ret_client);

/* Waits for puts and gets that are in progress. */
void fragment_client_free(struct fragment_client *client);

/* Wait until the accounts are known and there are tokens and keys for them; TIMEOUT. */
MUST_CHECK struct status
fragment_client_wait_ready(struct fragment_client *client, int64_t deadline_ms);

/* The accounts that a writer chooses from, at most max; returns their count. */
size_t fragment_client_candidates(
    struct fragment_client *client, struct placement_candidate *candidates, size_t max);

/* False if a read from that account has to be expected to fail. */
bool fragment_client_is_up(struct fragment_client *client, uint32_t account);

/* True for an account that a writer may use, up or not. */
bool fragment_client_is_active(struct fragment_client *client, uint32_t account);

/* The integrity key of a version, 0: the current one; NULL if unknown. Borrowed for our life. */
const struct secret *fragment_client_integrity_key(
    struct fragment_client *client, uint32_t version, uint32_t *ret_version);

struct fragment_name {
    uint32_t account;
    struct chunk_id chunk;
    uint8_t copy;
};

/* blob_client_put and blob_client_get by name: see there. */
void fragment_client_put(
    struct fragment_client *client, const struct fragment_name *name,
    const struct rpc_slice *slices, size_t count, int64_t deadline_ms, blob_put_done_fn *done,
    void *arg);
void fragment_client_get(
    struct fragment_client *client, const struct fragment_name *name, size_t offset, size_t size,
    int64_t deadline_ms, blob_get_done_fn *done, void *arg);

DEFINE_OWNED(fragment_client)
