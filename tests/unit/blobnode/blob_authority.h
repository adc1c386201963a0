#pragma once

/* A key store in a test's pocket: root, delegation, an account's pairs; keysets and tokens of any
 * kind, good or bad. Every function asserts. */

#include "blobnode/blob_keyring.h"
#include "tests/support/cmocka.h"

struct blob_authority {
    struct blob_keyring_root root;
    struct secret *root_key;
    struct secret *online_key;
    struct buffer delegation;
    struct secret *keys[KEYSET_PERMS];
    struct buffer spkis[KEYSET_PERMS];
};

void blob_authority_init(struct blob_authority *authority, uint64_t now_s);
void blob_authority_done(struct blob_authority *authority);

/* Append a keyset of that version, issued at issued_s. */
void blob_authority_keyset(
    const struct blob_authority *authority, const struct id16 *account, uint64_t version,
    uint64_t issued_s, struct buffer *keyset);

/* A token valid from now_s to now_s + life_s. */
void blob_authority_token(
    const struct blob_authority *authority, const struct id16 *account, enum token_perm perm,
    const uint8_t cert_sha256[32], uint64_t now_s, uint64_t life_s, uint8_t ret_token[TOKEN_SIZE]);
