#include "keystore/key_wallet_state.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"

#include <stdlib.h>

#include <openssl/crypto.h>

enum {
    INTEGRITY_INTERVAL_MS = 10 * 60 * 1000,
    CALL_MS = 10 * 1000,
    KEYSET_VERSION_OFFSET = 22, /* FORMATS 7: "TKS1" ver u16 account16 version u64. */
};

struct holding *key_wallet_next_wanted(struct key_wallet *wallet, size_t *cursor)
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
    if (wallet->integrity_count == KEY_WALLET_INTEGRITY_MAX) {
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
        const struct holding *holding = key_wallet_next_wanted(wallet, &cursor);
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

struct status key_wallet_fetch_account_keys(struct key_wallet *wallet)
{
    ARENA(arena, 2 * KEY_WALLET_ACCOUNTS_MAX * ID16_SIZE);
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
        const struct holding *holding = key_wallet_next_wanted(wallet, &cursor);
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

/* All that came is kept, also where one account is not known (yet). */
static struct status keep_tokens(
    struct key_wallet *wallet, const struct key_token_wanted *wanted,
    const struct key_token *tokens, size_t count)
{
    struct status first = OK;

    for (size_t i = 0; i < count; i++) {
        struct status status = keep_token(wallet, &wanted[i], &tokens[i]);
        first = status_ok(first) ? status : first;
    }
    return first;
}

struct status key_wallet_fetch_tokens(struct key_wallet *wallet)
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
        if (status_ok(status)) {
            status = keep_tokens(wallet, wanted, tokens, count);
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
        const struct holding *holding = key_wallet_next_wanted(wallet, &cursor);
        if (holding == NULL) {
            break;
        }
        ids[count++] = holding->account;
    }
    *ret_ids = ids;
    *ret_count = count;
    return OK;
}

struct status key_wallet_fetch_keysets(struct key_wallet *wallet)
{
    ARENA(arena, 2 * KEY_WALLET_ACCOUNTS_MAX * ID16_SIZE);
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
void key_wallet_watch_certificate(struct key_wallet *wallet)
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
        struct holding *holding = key_wallet_next_wanted(wallet, &cursor);
        if (holding == NULL) {
            return;
        }
        for (unsigned i = 0; i < KEYSET_PERMS; i++) {
            holding->tokens[i].renew_at = 0;
        }
    }
}
