/*
 * An account token (232), big-endian:
 *
 *    0  "TCT1" | alg u8 | perm u8 | flags u16 = 0x0001 (cnf required) | kid8
 *   16  jti16 | nbf u64 | exp u64 | account16
 *   64  tenant16 = 0 | policy_id u32 = 0 | epoch u32 | cnf32
 *  120  scope32 = 0 | scope_bits u16 = 0 | 0^2 | max_bytes u64 = 0 | issuer u32 = 0
 *  168  sig64 over "TRIAD-CAP-v1\0" | bytes 0 to 167
 */

#include "lib/capability/token.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

enum {
    TOKEN_BODY_SIZE = 168,
    TOKEN_FLAGS = 0x0001,
    RESERVED_BEFORE_EPOCH = 20, /* tenant, policy_id. */
    RESERVED_AFTER_CNF = 48,    /* scope, scope_bits, zero, max_bytes, issuer. */
};

static const char token_magic[4] = {'T', 'C', 'T', '1'};
static const char token_prefix[] = "TRIAD-CAP-v1"; /* Signed with its NUL. */

unsigned token_perm_index(enum token_perm perm)
{
    CHECK(perm >= TOKEN_READ && perm <= TOKEN_SCRUB && (perm & (perm - 1)) == 0);
    return (unsigned)__builtin_ctz(perm);
}

struct status
token_mint(const struct token *token, const struct secret *pkcs8, uint8_t ret[TOKEN_SIZE])
{
    struct token again;
    memset(ret, 0, TOKEN_SIZE);
    memcpy(ret, token_magic, sizeof(token_magic));
    ret[4] = token->alg;
    ret[5] = token->perm;
    encode_u16(ret + 6, TOKEN_FLAGS);
    memcpy(ret + 8, token->kid, SIGNATURE_KID_SIZE);
    memcpy(ret + 16, token->jti.bytes, ID16_SIZE);
    encode_u64(ret + 32, token->nbf);
    encode_u64(ret + 40, token->exp);
    memcpy(ret + 48, token->account.bytes, ID16_SIZE);
    encode_u32(ret + 84, token->epoch);
    memcpy(ret + 88, token->cnf, sizeof(token->cnf));
    TRY(token_decode(bytes_of(ret, TOKEN_SIZE), &again));
    return signature_sign(
        (enum signature_alg)token->alg, pkcs8, BYTES_ARRAY(token_prefix),
        bytes_of(ret, TOKEN_BODY_SIZE), ret + TOKEN_BODY_SIZE);
}

static struct status check_fields(const struct token *token, uint16_t flags)
{
    if (token->alg != SIGNATURE_ED25519 && token->alg != SIGNATURE_P256) {
        return FAIL(INVALID, "alg of a token");
    }
    if (token->perm == 0 || token->perm > TOKEN_SCRUB || (token->perm & (token->perm - 1)) != 0) {
        return FAIL(INVALID, "perm of a token");
    }
    if (flags != TOKEN_FLAGS) {
        return FAIL(INVALID, "flags of a token");
    }
    if (token->exp <= token->nbf) {
        return FAIL(INVALID, "dates of a token");
    }
    return OK;
}

struct status token_decode(struct bytes encoded, struct token *ret_token)
{
    struct reader reader = reader_of(encoded);
    struct token token = {0};
    if (encoded.size != TOKEN_SIZE) {
        return FAIL(INVALID, "length of a token");
    }
    if (!bytes_equal(reader_take(&reader, sizeof(token_magic)), BYTES_ARRAY(token_magic))) {
        return FAIL(INVALID, "magic of a token");
    }
    token.alg = reader_u8(&reader);
    token.perm = reader_u8(&reader);
    uint16_t flags = reader_u16(&reader);
    reader_copy(&reader, token.kid, sizeof(token.kid));
    reader_copy(&reader, token.jti.bytes, ID16_SIZE);
    token.nbf = reader_u64(&reader);
    token.exp = reader_u64(&reader);
    reader_copy(&reader, token.account.bytes, ID16_SIZE);
    reader_zeros(&reader, RESERVED_BEFORE_EPOCH);
    token.epoch = reader_u32(&reader);
    reader_copy(&reader, token.cnf, sizeof(token.cnf));
    reader_zeros(&reader, RESERVED_AFTER_CNF);
    if (reader_failed(&reader)) {
        return FAIL(INVALID, "fields of a token that version 1 does not know");
    }
    CHECK(reader.rest.size == SIGNATURE_SIZE);
    TRY(check_fields(&token, flags));
    *ret_token = token;
    return OK;
}

/* The entry with this kid, if its account and permission are the token's too. */
static const struct keyset_key *
find_key(const struct token *token, const struct keyset_content *content)
{
    if (!id16_equal(&token->account, &content->account)) {
        return NULL;
    }
    for (size_t i = 0; i < content->keys_count; i++) {
        const struct keyset_key *key = &content->keys[i];
        if (memcmp(key->kid, token->kid, SIGNATURE_KID_SIZE) == 0) {
            return key->perm == token->perm ? key : NULL;
        }
    }
    return NULL;
}

struct status token_verify(
    const struct token *token, struct bytes encoded, const struct keyset *keyset,
    const uint8_t cert_sha256[32], uint64_t life_max_s)
{
    if (encoded.size != TOKEN_SIZE) {
        return FAIL(INVALID, "length of a token");
    }
    const struct keyset_key *key = find_key(token, keyset_content(keyset));
    if (key == NULL) {
        return FAIL(DENIED, "token's key is not in the keyset");
    }
    if (token->alg != key->alg) {
        return FAIL(DENIED, "token's alg is not that of its key");
    }
    if (token->exp > key->naf) {
        return FAIL(DENIED, "token outlives its key");
    }
    uint64_t life_s = token->exp - token->nbf;
    if (token->exp <= token->nbf || life_s > life_max_s || life_s > TOKEN_LIFE_CAP_S) {
        return FAIL(DENIED, "token lives too long");
    }
    if (!secret_equal(BYTES_ARRAY(token->cnf), bytes_of(cert_sha256, sizeof(token->cnf)))) {
        return FAIL(DENIED, "token is bound to another certificate");
    }
    return signature_verify(
        (enum signature_alg)key->alg, key->spki, BYTES_ARRAY(token_prefix),
        bytes_of(encoded.data, TOKEN_BODY_SIZE), bytes_from(encoded, TOKEN_BODY_SIZE));
}

struct status token_check(
    const struct token *token, const struct keyset *keyset, enum token_perm perm,
    const struct id16 *account, uint64_t now_s)
{
    const struct keyset_content *content = keyset_content(keyset);
    if (token->perm != perm) {
        return FAIL(DENIED, "token is for another permission");
    }
    if (!id16_equal(&token->account, account) || !id16_equal(&content->account, account)) {
        return FAIL(DENIED, "token is for another account");
    }
    if (token->nbf > now_s && token->nbf - now_s > TOKEN_SKEW_S) {
        return FAIL(DENIED, "token is not valid yet");
    }
    if (now_s >= token->exp && now_s - token->exp >= TOKEN_SKEW_S) {
        return FAIL(DENIED, "token has expired");
    }
    if (token->epoch < content->min_epoch[token_perm_index(perm)]) {
        return FAIL(DENIED, "token was revoked by epoch");
    }
    if (keyset_is_denied(keyset, &token->jti)) {
        return FAIL(DENIED, "token was revoked");
    }
    if (now_s >= content->valid_until) {
        return FAIL(UNAVAILABLE, "keyset is stale");
    }
    return OK;
}
