#pragma once

/* Tokens of blob accounts (FORMATS 7): one right, one account, one certificate. Any thread. */

#include "keystore/vault.h"
#include "lib/capability/token.h"
#include "lib/rpc/rpc_identity.h"

/* Which access types a role may have; enum token_perm, or-ed. */
unsigned token_issuer_perms(enum rpc_role role);

/* NOT_FOUND: no such account. DENIED: not this role's. ret_jti names it for the audit. */
MUST_CHECK struct status token_issuer_issue(
    struct vault *vault, const struct rpc_peer *peer, const struct id16 *account, unsigned perm,
    uint64_t now_s, uint64_t life_s, uint8_t ret_token[TOKEN_SIZE], struct id16 *ret_jti);
