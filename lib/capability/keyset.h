#pragma once

/*
 * A keyset, "TKS1": the public keys that verify one account's tokens, signed by the key store's
 * online key, which an offline root delegated ("TKD1"). FORMATS 7, drawn in keyset.c.
 * Immutable once decoded; any thread.
 */

#include "lib/base/buffer.h"
#include "lib/crypto/signature.h"
#include "lib/format/ids.h"

enum token_perm {
    TOKEN_READ = 0x01,
    TOKEN_WRITE = 0x02,
    TOKEN_DELETE = 0x04,
    TOKEN_ENUMERATE = 0x08,
    TOKEN_SCRUB = 0x10,
};

enum {
    KEYSET_PERMS = 5,
    KEYSET_KEYS_MAX = 64,
    KEYSET_DENIED_MAX = 1024,
    KEYSET_SIZE_MAX = 64 * 1024,
    KEYSET_VALID_S = 900,
    DELEGATION_LIFE_MAX_S = 31622400,
};

struct keyset_key {
    uint8_t kid[SIGNATURE_KID_SIZE];
    uint8_t perm;
    uint8_t alg;
    uint64_t nbf;
    uint64_t naf;
    struct bytes spki; /* Borrowed from the keyset, or from the builder's caller. */
};

struct keyset_content {
    struct id16 account;
    uint64_t version;
    uint64_t issued;
    uint64_t valid_until;
    uint32_t min_epoch[KEYSET_PERMS]; /* By bit number of the permission. */
    const struct keyset_key *keys;
    size_t keys_count;
    const struct id16 *denied;
    size_t denied_count;
};

/* Append a delegation "TKD1" of the online key, signed by the offline root. */
MUST_CHECK struct status delegation_sign(
    enum signature_alg root_alg, const struct secret *root_pkcs8, enum signature_alg alg,
    struct bytes online_spki, uint64_t nbf, uint64_t naf, struct buffer *ret_delegation);

/* Append a signed keyset. */
MUST_CHECK struct status keyset_sign(
    const struct keyset_content *content, struct bytes delegation, enum signature_alg alg,
    const struct secret *online_pkcs8, struct buffer *ret_keyset);

struct keyset;

/*
 * Decode and verify against the pinned root: the delegation's signature and dates at now_s, the
 * keyset's signature. The account must be account. valid_until is not judged here.
 */
MUST_CHECK struct status keyset_open(
    struct bytes encoded, enum signature_alg root_alg, struct bytes root_spki,
    const struct id16 *account, uint64_t now_s, struct keyset **ret_keyset);

void keyset_free(struct keyset *keyset);

const struct keyset_content *keyset_content(const struct keyset *keyset);
struct bytes keyset_encoded(const struct keyset *keyset);
bool keyset_is_denied(const struct keyset *keyset, const struct id16 *jti);
/* Bit number of a permission: 0 for READ to 4 for SCRUB. */
unsigned token_perm_index(enum token_perm perm);

DEFINE_OWNED(keyset)
