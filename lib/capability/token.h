#pragma once

/*
 * An account token, "TCT1", 232 bytes: FORMATS 7 and key-notes 3.4. One right on one account,
 * bound to one certificate. Minted by the key store, verified by blob nodes.
 */

#include "lib/capability/keyset.h"

enum {
    TOKEN_SIZE = 232,
    TOKEN_LIFE_DEFAULT_S = 3600,
    TOKEN_LIFE_CAP_S = 5184000,
    TOKEN_SKEW_S = 60
};

struct token {
    uint8_t alg;
    uint8_t perm; /* One of enum token_perm. */
    uint8_t kid[SIGNATURE_KID_SIZE];
    struct id16 jti;
    uint64_t nbf;
    uint64_t exp;
    struct id16 account;
    uint32_t epoch;
    uint8_t cnf[32];
};

MUST_CHECK struct status
token_mint(const struct token *token, const struct secret *pkcs8, uint8_t ret[TOKEN_SIZE]);

/* Length, magic, zeros and flags; nothing is verified. */
MUST_CHECK struct status token_decode(struct bytes encoded, struct token *ret_token);

/*
 * What a blob node does once a connection: signature, key, alg, lifetimes, cnf, in the order of
 * FORMATS 7. DENIED with the reason. life_max_s is the node's option.
 */
MUST_CHECK struct status token_verify(
    const struct token *token, struct bytes encoded, const struct keyset *keyset,
    const uint8_t cert_sha256[32], uint64_t life_max_s);

/*
 * What it does on every call, cached or not: perm, account, time, epoch, jti, keyset validity.
 * DENIED with the reason; UNAVAILABLE when the keyset is stale, which another node may not be.
 */
MUST_CHECK struct status token_check(
    const struct token *token, const struct keyset *keyset, enum token_perm perm,
    const struct id16 *account, uint64_t now_s);

/* A bounded cache of verified tokens: key SHA-256(token) | cnf | keyset version. Any thread. */
struct token_cache;
MUST_CHECK struct status token_cache_new(size_t entries_max, struct token_cache **ret_cache);
void token_cache_free(struct token_cache *cache);

/* decode + verify (or a cache hit) + check, in one call. */
MUST_CHECK struct status token_cache_admit(
    struct token_cache *cache, struct bytes encoded, const struct keyset *keyset,
    const uint8_t cert_sha256[32], enum token_perm perm, const struct id16 *account, uint64_t now_s,
    uint64_t life_max_s);

DEFINE_OWNED(token_cache)
