#pragma once

/*
 * All accounts of this node: the data directory, one blob_account each, and their keysets.
 *
 * One process a data directory (file "lock"). Accounts are added and never removed while the
 * daemon runs, so a pointer to one stays good. Any thread.
 */

#include "blobnode/blob_account.h"
#include "blobnode/blob_keyring.h"

enum { BLOB_STORE_ACCOUNTS_MAX = 256 };

struct blob_store;

struct blob_store_options {
    const char *data_dir;
    struct blob_account_options account;
    struct blob_keyring_root root;
    uint64_t token_life_max_s;
};

/*
 * Open the directory, made if it is not there, and every account in it. One account that cannot be
 * opened does not take the others down: it is logged, counted as damaged and left out.
 */
MUST_CHECK struct status
blob_store_open(const struct blob_store_options *options, struct blob_store **ret_store);
void blob_store_free(struct blob_store *store);

/* The account, or NULL. */
struct blob_account *blob_store_find(struct blob_store *store, const struct id16 *account);

/* By number, from 0 on in no order; NULL behind the last. */
struct blob_account *blob_store_at(struct blob_store *store, size_t number);

struct blob_keyring *blob_store_keyring(struct blob_store *store);

/*
 * Make an account with its first keyset. One that is here answers its uuid again (and takes the
 * keyset if it is newer). FULL: no more accounts.
 */
MUST_CHECK struct status blob_store_format(
    struct blob_store *store, const struct id16 *account, struct bytes keyset, uint64_t now_s,
    struct id16 *ret_store_uuid);

/* Let every account's trash forget what is due, and give its space back. */
void blob_store_expire(struct blob_store *store, uint64_t now_s);

struct blob_store_stat {
    uint64_t accounts;
    uint64_t accounts_broken; /* Directories that could not be opened. */
    uint64_t blobs;
    uint64_t bytes;
    uint64_t trash_bytes;
    uint64_t damaged;
    uint64_t syncs;
    uint64_t free_bytes;
};
void blob_store_stat(struct blob_store *store, struct blob_store_stat *ret_stat);

DEFINE_OWNED(blob_store)
