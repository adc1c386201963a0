#include "keystore/token_issuer.h"

#include "keystore/account_keys.h"
#include "lib/crypto/random.h"

unsigned token_issuer_perms(enum rpc_role role)
{
    switch (role) {
    case RPC_ROLE_FRONTEND: /* Never enumerate, never delete. */
        return TOKEN_READ | TOKEN_WRITE;
    case RPC_ROLE_STEWARD:
        return TOKEN_READ | TOKEN_WRITE | TOKEN_DELETE | TOKEN_ENUMERATE | TOKEN_SCRUB;
    case RPC_ROLE_BLOBNODE:
    case RPC_ROLE_CONTENTDB:
    case RPC_ROLE_KEYSTORE:
    case RPC_ROLE_OPERATOR:
        break;
    }
    return 0;
}

struct status token_issuer_issue(
    struct vault *vault, const struct rpc_peer *peer, const struct id16 *account, unsigned perm,
    uint64_t now_s, uint64_t life_s, uint8_t ret_token[TOKEN_SIZE], struct id16 *ret_jti)
{
    struct account_row row;
    struct account_pair pair;

    if (perm == 0 || (perm & (perm - 1)) != 0 || (perm & token_issuer_perms(peer->role)) == 0) {
        return FAIL(DENIED, "not a right of this role");
    }
    TRY(account_keys_row(vault, account, &row));
    TRY(account_keys_signing_pair(vault, account, (enum token_perm)perm, now_s, &pair));
    struct token token = {
        .alg = pair.alg,
        .perm = (uint8_t)perm,
        .nbf = now_s,
        .exp = now_s + life_s < pair.naf ? now_s + life_s : pair.naf,
        .account = *account,
        .epoch = row.epochs[token_perm_index((enum token_perm)perm)],
    };
    memcpy(token.kid, pair.kid, sizeof(token.kid));
    memcpy(token.cnf, peer->cert_sha256, sizeof(token.cnf));
    struct status status = random_bytes(token.jti.bytes, ID16_SIZE);
    if (status_ok(status)) {
        status = token_mint(&token, pair.pkcs8, ret_token);
    }
    account_keys_pair_done(&pair);
    *ret_jti = token.jti;
    return status;
}
