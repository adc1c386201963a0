#pragma once

/* What the wallet's two files share: key_wallet.c answers, key_wallet_fetch.c asks the key store.
 */

#include "keystore/key_wallet.h"
#include "lib/base/map.h"
#include "lib/base/task.h"

enum { KEY_WALLET_ACCOUNTS_MAX = 4096, KEY_WALLET_INTEGRITY_MAX = 64 };

struct held_token {
    bool is_there;
    uint8_t bytes[TOKEN_SIZE];
    int64_t renew_at; /* Unix seconds: half of its life. */
    int64_t exp;
};

struct holding {
    struct id16 account;
    bool is_wanted;
    struct secret *id_key; /* Owned; lent until the wallet is freed. */
    struct held_token tokens[KEYSET_PERMS];
    uint8_t *keyset; /* Owned. */
    size_t keyset_size;
    uint64_t keyset_version;
};

struct held_integrity_key {
    uint32_t version;
    struct secret *key; /* Owned; lent until the wallet is freed. */
};

struct key_wallet {
    struct key_wallet_options options;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct task task;
    bool is_stopping;
    bool is_asked;        /* To fetch now. */
    struct map *holdings; /* Owned, by account16; never removed. */
    struct held_integrity_key integrity[KEY_WALLET_INTEGRITY_MAX];
    size_t integrity_count;
    /* Only the thread's own. */
    uint8_t cert_sha256[32];
    int64_t next_keysets_ms;
    int64_t next_integrity_ms;
};

/* The next account that is wanted, or NULL; *cursor starts at 0. Under the mutex. */
struct holding *key_wallet_next_wanted(struct key_wallet *wallet, size_t *cursor);

/* By the wallet's thread, without the mutex: fetch what is missing or due. */
MUST_CHECK struct status key_wallet_fetch_account_keys(struct key_wallet *wallet);
MUST_CHECK struct status key_wallet_fetch_tokens(struct key_wallet *wallet);
MUST_CHECK struct status key_wallet_fetch_keysets(struct key_wallet *wallet);

/* Tokens are bound to our certificate: a new one makes all of them due. */
void key_wallet_watch_certificate(struct key_wallet *wallet);
