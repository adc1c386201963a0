#include "keystore/key_wallet.h"

#include "keystore/key_wallet_state.h"
#include "lib/base/clock.h"

#include <stdlib.h>

#include <openssl/crypto.h>

enum { KEYSET_INTERVAL_MS = 20 * 1000, RETRY_MS = 1000 };

/* ---- under the mutex ---- */

static bool holding_is_ready(const struct key_wallet *wallet, const struct holding *holding)
{
    for (unsigned i = 0; i < KEYSET_PERMS; i++) {
        if ((wallet->options.perms & (1U << i)) != 0 && !holding->tokens[i].is_there) {
            return false;
        }
    }
    return holding->id_key != NULL && holding->keyset != NULL;
}

static bool is_ready(struct key_wallet *wallet)
{
    size_t cursor = 0;

    for (;;) {
        const struct holding *holding = key_wallet_next_wanted(wallet, &cursor);
        if (holding == NULL) {
            return wallet->integrity_count > 0;
        }
        if (!holding_is_ready(wallet, holding)) {
            return false;
        }
    }
}

static void drop_rights(struct holding *holding)
{
    OPENSSL_cleanse(holding->tokens, sizeof(holding->tokens));
    free(holding->keyset);
    holding->keyset = NULL;
    holding->keyset_size = 0;
    holding->keyset_version = 0;
}

/* Everything that can be had is fetched even where another kind fails. */
static bool fetch_all(struct key_wallet *wallet)
{
    key_wallet_watch_certificate(wallet);
    bool is_done = status_ok(key_wallet_fetch_account_keys(wallet));
    is_done = status_ok(key_wallet_fetch_tokens(wallet)) && is_done;
    return status_ok(key_wallet_fetch_keysets(wallet)) && is_done;
}

/* Returns false when the wallet stops. */
static bool rest(struct key_wallet *wallet, bool is_done)
{
    LOCKED(&wallet->mutex);
    int64_t now_ms = clock_monotonic_ms();
    int64_t until_ms = is_done ? now_ms + wallet->options.keyset_interval_ms : now_ms + RETRY_MS;

    pthread_cond_broadcast(&wallet->changed);
    while (!wallet->is_stopping && !wallet->is_asked) {
        if (!task_condition_wait(&wallet->changed, &wallet->mutex, until_ms)) {
            break;
        }
    }
    if (wallet->is_asked) {
        wallet->next_keysets_ms = 0;
    }
    wallet->is_asked = false;
    return !wallet->is_stopping;
}

static void run(void *context)
{
    struct key_wallet *wallet = context;
    bool is_done = false;

    do {
        is_done = fetch_all(wallet);
    } while (rest(wallet, is_done));
}

/* ---- the interface ---- */

struct status
key_wallet_start(const struct key_wallet_options *options, struct key_wallet **ret_wallet)
{
    OWNED(key_wallet) struct key_wallet *wallet = calloc(1, sizeof(*wallet));
    if (wallet == NULL) {
        return FAIL(NO_MEMORY, "wallet");
    }
    wallet->options = *options;
    if (wallet->options.keyset_interval_ms == 0) {
        wallet->options.keyset_interval_ms = KEYSET_INTERVAL_MS;
    }
    pthread_mutex_init(&wallet->mutex, NULL);
    task_condition_init(&wallet->changed);
    TRY(map_new(ID16_SIZE, &wallet->holdings));
    TRY(task_start(&wallet->task, "key-wallet", run, wallet));
    *ret_wallet = TAKE(wallet);
    return OK;
}

static void holding_free(struct holding *holding)
{
    drop_rights(holding);
    secret_free(holding->id_key);
    free(holding);
}

void key_wallet_free(struct key_wallet *wallet)
{
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;

    if (wallet == NULL) {
        return;
    }
    pthread_mutex_lock(&wallet->mutex);
    wallet->is_stopping = true;
    pthread_cond_broadcast(&wallet->changed);
    pthread_mutex_unlock(&wallet->mutex);
    task_join(&wallet->task);
    while (wallet->holdings != NULL && map_next(wallet->holdings, &cursor, &key, &value)) {
        holding_free(value);
    }
    map_free(wallet->holdings);
    for (size_t i = 0; i < wallet->integrity_count; i++) {
        secret_free(wallet->integrity[i].key);
    }
    pthread_cond_destroy(&wallet->changed);
    pthread_mutex_destroy(&wallet->mutex);
    free(wallet);
}

static void unwant_all(struct key_wallet *wallet)
{
    size_t cursor = 0;

    for (;;) {
        struct holding *holding = key_wallet_next_wanted(wallet, &cursor);
        if (holding == NULL) {
            return;
        }
        holding->is_wanted = false;
    }
}

static struct status want(struct key_wallet *wallet, const struct id16 *account)
{
    struct holding *holding = map_get(wallet->holdings, account->bytes);

    if (holding != NULL) {
        holding->is_wanted = true;
        return OK;
    }
    holding = calloc(1, sizeof(*holding));
    if (holding == NULL) {
        return FAIL(NO_MEMORY, "account in the wallet");
    }
    holding->account = *account;
    holding->is_wanted = true;
    struct status status = map_put(wallet->holdings, account->bytes, holding, NULL);
    if (!status_ok(status)) {
        free(holding);
    }
    return status;
}

static void drop_unwanted(struct key_wallet *wallet)
{
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;

    while (map_next(wallet->holdings, &cursor, &key, &value)) {
        struct holding *holding = value;
        if (!holding->is_wanted) {
            drop_rights(holding);
        }
    }
}

struct status
key_wallet_set_accounts(struct key_wallet *wallet, const struct id16 *accounts, size_t count)
{
    if (count > KEY_WALLET_ACCOUNTS_MAX) {
        return FAIL(TOO_LARGE, "accounts in the wallet");
    }
    LOCKED(&wallet->mutex);
    struct status status = OK;
    unwant_all(wallet);
    for (size_t i = 0; i < count && status_ok(status); i++) {
        status = want(wallet, &accounts[i]);
    }
    drop_unwanted(wallet);
    wallet->is_asked = true;
    pthread_cond_broadcast(&wallet->changed);
    return status;
}

void key_wallet_refresh_now(struct key_wallet *wallet)
{
    LOCKED(&wallet->mutex);
    wallet->is_asked = true;
    pthread_cond_broadcast(&wallet->changed);
}

struct status key_wallet_wait_ready(struct key_wallet *wallet, int64_t deadline_ms)
{
    LOCKED(&wallet->mutex);
    while (!is_ready(wallet)) {
        if (!task_condition_wait(&wallet->changed, &wallet->mutex, deadline_ms) &&
            !is_ready(wallet)) {
            return FAIL(TIMEOUT, "waiting for the key store's tokens and keys");
        }
    }
    return OK;
}

struct status key_wallet_token(
    void *context, const struct id16 *account, enum token_perm perm, uint8_t ret_token[TOKEN_SIZE])
{
    struct key_wallet *wallet = context;

    LOCKED(&wallet->mutex);
    const struct holding *holding = map_get(wallet->holdings, account->bytes);
    if (holding == NULL || !holding->is_wanted) {
        return FAIL(UNAVAILABLE, "account is not in the wallet");
    }
    const struct held_token *token = &holding->tokens[token_perm_index(perm)];
    if (!token->is_there || clock_wall_s() >= token->exp) {
        return FAIL(UNAVAILABLE, "no token of the account yet");
    }
    memcpy(ret_token, token->bytes, TOKEN_SIZE);
    return OK;
}

const struct secret *key_wallet_id_key(struct key_wallet *wallet, const struct id16 *account)
{
    LOCKED(&wallet->mutex);
    const struct holding *holding = map_get(wallet->holdings, account->bytes);
    return holding == NULL ? NULL : holding->id_key;
}

const struct secret *
key_wallet_integrity_key(struct key_wallet *wallet, uint32_t version, uint32_t *ret_version)
{
    LOCKED(&wallet->mutex);
    const struct held_integrity_key *found = NULL;
    for (size_t i = 0; i < wallet->integrity_count; i++) {
        const struct held_integrity_key *held = &wallet->integrity[i];
        bool is_newer = found == NULL || held->version > found->version;
        if (version == 0 ? is_newer : held->version == version) {
            found = held;
        }
    }
    if (found == NULL) {
        return NULL;
    }
    if (ret_version != NULL) {
        *ret_version = found->version;
    }
    return found->key;
}

struct status key_wallet_keyset(
    struct key_wallet *wallet, const struct id16 *account, struct buffer *buffer,
    uint64_t *ret_version)
{
    LOCKED(&wallet->mutex);
    const struct holding *holding = map_get(wallet->holdings, account->bytes);
    if (holding == NULL || holding->keyset == NULL) {
        return FAIL(NOT_FOUND, "no keyset of the account");
    }
    if (buffer != NULL) {
        buffer_add(buffer, bytes_of(holding->keyset, holding->keyset_size));
        TRY(buffer_status(buffer));
    }
    *ret_version = holding->keyset_version;
    return OK;
}
