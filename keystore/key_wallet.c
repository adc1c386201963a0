#include "keystore/key_wallet.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/map.h"
#include "lib/base/task.h"

#include <stdlib.h>

#include <openssl/crypto.h>

enum {
    KEYSET_INTERVAL_MS = 20 * 1000,
    INTEGRITY_INTERVAL_MS = 10 * 60 * 1000,
    RETRY_MS = 1000,
    CALL_MS = 10 * 1000,
    ACCOUNTS_MAX = 4096,
    INTEGRITY_MAX = 64,
    KEYSET_VERSION_OFFSET = 22, /* FORMATS 7: "TKS1" ver u16 account16 version u64. */
};

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
    struct held_integrity_key integrity[INTEGRITY_MAX];
    size_t integrity_count;
    /* Only the thread's own. */
    uint8_t cert_sha256[32];
    int64_t next_keysets_ms;
    int64_t next_integrity_ms;
};

/* ---- under the mutex ---- */

static struct holding *next_wanted(struct key_wallet *wallet, size_t *cursor)
{
    const void *key = NULL;
    void *value = NULL;

    while (map_next(wallet->holdings, cursor, &key, &value)) {
        struct holding *holding = value;
        if (holding->is_wanted) {
            return holding;
        }
    }
    return NULL;
}

static bool token_is_due(const struct held_token *token, int64_t now_s)
{
    return !token->is_there || now_s >= token->renew_at;
}

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
        const struct holding *holding = next_wanted(wallet, &cursor);
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

/* ---- what the thread fetches ---- */

static struct status add_id_key(void *context, const struct id16 *account, struct secret **take_key)
{
    struct key_wallet *wallet = context;

    LOCKED(&wallet->mutex);
    struct holding *holding = map_get(wallet->holdings, account->bytes);
    if (holding != NULL && holding->id_key == NULL) {
        holding->id_key = TAKE(*take_key);
    }
    return OK;
}

static struct status add_integrity_key(void *context, uint32_t version, struct secret **take_key)
{
    struct key_wallet *wallet = context;

    LOCKED(&wallet->mutex);
    for (size_t i = 0; i < wallet->integrity_count; i++) {
        if (wallet->integrity[i].version == version) {
            return OK;
        }
    }
    if (wallet->integrity_count == INTEGRITY_MAX) {
        return FAIL(TOO_LARGE, "versions of the integrity key");
    }
    struct held_integrity_key *held = &wallet->integrity[wallet->integrity_count];
    *held = (struct held_integrity_key){.version = version, .key = TAKE(*take_key)};
    wallet->integrity_count++;
    return OK;
}

/* Wanted accounts that lack an id key. */
static struct status missing_id_keys(
    struct key_wallet *wallet, struct arena *arena, struct id16 **ret_ids, size_t *ret_count)
{
    LOCKED(&wallet->mutex);
    size_t cursor = 0;
    size_t count = 0;
    struct id16 *ids = arena_zalloc(arena, map_count(wallet->holdings) + 1, sizeof(*ids));

    if (ids == NULL) {
        return FAIL(NO_MEMORY, "accounts without id key");
    }
    for (;;) {
        const struct holding *holding = next_wanted(wallet, &cursor);
        if (holding == NULL) {
            break;
        }
        if (holding->id_key == NULL) {
            ids[count++] = holding->account;
        }
    }
    *ret_ids = ids;
    *ret_count = count;
    return OK;
}

static struct status fetch_account_keys(struct key_wallet *wallet)
{
    ARENA(arena, 2 * ACCOUNTS_MAX * ID16_SIZE);
    struct id16 *ids = NULL;
    size_t count = 0;
    struct id16 none = {{0}};

    TRY(missing_id_keys(wallet, &arena, &ids, &count));
    int64_t now_ms = clock_monotonic_ms();
    if (count == 0 && now_ms < wallet->next_integrity_ms) {
        return OK;
    }
    /* An empty list would mean every account: ask for one that is nobody's. */
    TRY(key_client_get_account_keys(
        wallet->options.client, count == 0 ? &none : ids, count == 0 ? 1 : count, now_ms + CALL_MS,
        add_id_key, add_integrity_key, wallet));
    wallet->next_integrity_ms = now_ms + INTEGRITY_INTERVAL_MS;
    return OK;
}

static size_t
due_tokens(struct key_wallet *wallet, struct key_token_wanted *wanted, size_t max, int64_t now_s)
{
    LOCKED(&wallet->mutex);
    size_t cursor = 0;
    size_t count = 0;

    for (;;) {
        const struct holding *holding = next_wanted(wallet, &cursor);
        if (holding == NULL) {
            return count;
        }
        for (unsigned i = 0; i < KEYSET_PERMS && count < max; i++) {
            unsigned perm = 1U << i;
            if ((wallet->options.perms & perm) != 0 && token_is_due(&holding->tokens[i], now_s)) {
                wanted[count++] = (struct key_token_wanted){holding->account, perm};
            }
        }
    }
}

static struct status keep_token(
    struct key_wallet *wallet, const struct key_token_wanted *wanted, const struct key_token *got)
{
    struct token token;

    if (!got->is_issued) {
        return FAIL(NOT_FOUND, "the key store does not know an account");
    }
    TRY(token_decode(BYTES_ARRAY(got->token), &token));
    LOCKED(&wallet->mutex);
    struct holding *holding = map_get(wallet->holdings, wanted->account.bytes);
    if (holding == NULL || !holding->is_wanted) {
        return OK;
    }
    struct held_token *held = &holding->tokens[token_perm_index(wanted->perm)];
    memcpy(held->bytes, got->token, TOKEN_SIZE);
    held->exp = (int64_t)token.exp;
    held->renew_at = (int64_t)(token.nbf + (token.exp - token.nbf) / 2);
    held->is_there = true;
    return OK;
}

static struct status fetch_tokens(struct key_wallet *wallet)
{
    struct key_token_wanted *wanted = calloc(KEY_TOKENS_MAX, sizeof(*wanted));
    struct key_token *tokens = calloc(KEY_TOKENS_MAX, sizeof(*tokens));
    struct status status = OK;
    size_t count = 0;

    if (wanted == NULL || tokens == NULL) {
        status = FAIL(NO_MEMORY, "tokens");
    }
    do {
        if (status_ok(status)) {
            count = due_tokens(wallet, wanted, KEY_TOKENS_MAX, clock_wall_s());
        }
        if (status_ok(status) && count > 0) {
            status = key_client_issue_tokens(
                wallet->options.client, wanted, count, clock_monotonic_ms() + CALL_MS, tokens);
        }
        for (size_t i = 0; i < count && status_ok(status); i++) {
            status = keep_token(wallet, &wanted[i], &tokens[i]);
        }
    } while (status_ok(status) && count == KEY_TOKENS_MAX);
    free(wanted);
    if (tokens != NULL) {
        OPENSSL_cleanse(tokens, KEY_TOKENS_MAX * sizeof(*tokens));
    }
    free(tokens);
    return status;
}

static struct status keep_keyset(void *context, const struct id16 *account, struct bytes keyset)
{
    struct key_wallet *wallet = context;

    if (keyset.size < KEYSET_VERSION_OFFSET + 8 || keyset.size > KEYSET_SIZE_MAX) {
        return FAIL(INVALID, "length of a keyset");
    }
    uint8_t *copy = malloc(keyset.size);
    if (copy == NULL) {
        return FAIL(NO_MEMORY, "keyset");
    }
    memcpy(copy, keyset.data, keyset.size);
    uint64_t version = decode_u64(copy + KEYSET_VERSION_OFFSET);
    LOCKED(&wallet->mutex);
    struct holding *holding = map_get(wallet->holdings, account->bytes);
    if (holding == NULL || !holding->is_wanted || version < holding->keyset_version) {
        free(copy);
        return OK;
    }
    free(holding->keyset);
    holding->keyset = copy;
    holding->keyset_size = keyset.size;
    holding->keyset_version = version;
    return OK;
}

/* The ids of all wanted accounts. */
static struct status wanted_accounts(
    struct key_wallet *wallet, struct arena *arena, struct id16 **ret_ids, size_t *ret_count)
{
    LOCKED(&wallet->mutex);
    size_t cursor = 0;
    size_t count = 0;
    struct id16 *ids = arena_zalloc(arena, map_count(wallet->holdings) + 1, sizeof(*ids));

    if (ids == NULL) {
        return FAIL(NO_MEMORY, "accounts");
    }
    for (;;) {
        const struct holding *holding = next_wanted(wallet, &cursor);
        if (holding == NULL) {
            break;
        }
        ids[count++] = holding->account;
    }
    *ret_ids = ids;
    *ret_count = count;
    return OK;
}

static struct status fetch_keysets(struct key_wallet *wallet)
{
    ARENA(arena, 2 * ACCOUNTS_MAX * ID16_SIZE);
    struct id16 *ids = NULL;
    size_t count = 0;
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms < wallet->next_keysets_ms) {
        return OK;
    }
    TRY(wanted_accounts(wallet, &arena, &ids, &count));
    if (count > 0) {
        TRY(key_client_get_keysets(
            wallet->options.client, ids, count, now_ms + CALL_MS, keep_keyset, wallet));
    }
    wallet->next_keysets_ms = now_ms + wallet->options.keyset_interval_ms;
    return OK;
}

/* Tokens are bound to our certificate: a new one makes all of them due. They stay usable until
 * replaced, for the connections that the old one still has. */
static void watch_certificate(struct key_wallet *wallet)
{
    uint8_t now[32];

    rpc_client_cert_sha256(wallet->options.rpc, now);
    if (memcmp(now, wallet->cert_sha256, sizeof(now)) == 0) {
        return;
    }
    memcpy(wallet->cert_sha256, now, sizeof(now));
    LOCKED(&wallet->mutex);
    size_t cursor = 0;
    for (;;) {
        struct holding *holding = next_wanted(wallet, &cursor);
        if (holding == NULL) {
            return;
        }
        for (unsigned i = 0; i < KEYSET_PERMS; i++) {
            holding->tokens[i].renew_at = 0;
        }
    }
}

/* Everything that can be had is fetched even where another kind fails. */
static bool fetch_all(struct key_wallet *wallet)
{
    watch_certificate(wallet);
    bool is_done = status_ok(fetch_account_keys(wallet));
    is_done = status_ok(fetch_tokens(wallet)) && is_done;
    return status_ok(fetch_keysets(wallet)) && is_done;
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
        struct holding *holding = next_wanted(wallet, &cursor);
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
    if (count > ACCOUNTS_MAX) {
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
