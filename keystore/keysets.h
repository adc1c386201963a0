#pragma once

/*
 * Keysets of accounts (FORMATS 7), signed by the online key that the offline root delegated. A
 * signed keyset is given out again for two minutes of its fifteen. Any thread.
 */

#include "keystore/vault.h"
#include "lib/base/buffer.h"

struct keysets;

/* Make the online key in a new vault; it waits for its delegation. EXISTS if done. */
MUST_CHECK struct status keysets_init(struct vault *vault);

MUST_CHECK struct status keysets_new(struct vault *vault, struct keysets **ret_keysets);
void keysets_free(struct keysets *keysets);

/* alg, public key and delegation in force (maybe empty), appended. */
MUST_CHECK struct status keysets_request(
    struct keysets *keysets, uint8_t *ret_alg, struct buffer *spki, struct buffer *delegation);

/* Take a delegation of our key. INVALID: not one, of another key, or over. ret_naf: its end. */
MUST_CHECK struct status
keysets_delegate(struct keysets *keysets, struct bytes delegation, uint64_t *ret_naf);

bool keysets_is_delegated(struct keysets *keysets);

/* Append the account's keyset. NOT_FOUND: no such account. UNAVAILABLE: no delegation in force. */
MUST_CHECK struct status
keysets_get(struct keysets *keysets, const struct id16 *account, struct buffer *keyset);

/* Sign all anew at the next get: pairs or epochs changed. */
void keysets_forget(struct keysets *keysets);

DEFINE_OWNED(keysets)
