#pragma once

/*
 * The keysets of this node's accounts: what says which tokens are good.
 *
 * A keyset counts only if the offline root that is pinned here stands behind its signature, and
 * only if it is newer than what is in force; it is on disk (file "keyset" of the account) before
 * it is used, so that a restart cannot bring back an older one. Past valid_until nothing is
 * admitted until a new one is pushed. Any thread.
 */

#include "lib/base/cleanup.h"
#include "lib/capability/token.h"

struct blob_keyring;

/* The root's public key, from a file with DER or PEM SubjectPublicKeyInfo. */
struct blob_keyring_root {
    enum signature_alg alg;
    uint8_t spki[SIGNATURE_SPKI_MAX];
    size_t spki_size;
};
MUST_CHECK struct status
blob_keyring_root_load(const char *path, struct blob_keyring_root *ret_root);
/* The same from the file's bytes. */
MUST_CHECK struct status
blob_keyring_root_parse(struct bytes text, struct blob_keyring_root *ret_root);

/* token_life_max_s: longest life of a token that is accepted. */
MUST_CHECK struct status blob_keyring_new(
    const struct blob_keyring_root *root, uint64_t token_life_max_s,
    struct blob_keyring **ret_ring);
void blob_keyring_free(struct blob_keyring *ring);

/*
 * Load the account's keyset from its directory, which outlives the ring, and know the account from
 * now on, also if there is none yet or what is there is damaged: then nothing is admitted until one
 * is pushed, and the status says why.
 */
MUST_CHECK struct status
blob_keyring_add(struct blob_keyring *ring, const struct id16 *account, int dir_fd, uint64_t now_s);

/* Is this a keyset of the account that our root stands behind? Needs no account here. */
MUST_CHECK struct status blob_keyring_verify(
    const struct blob_keyring *ring, const struct id16 *account, struct bytes keyset,
    uint64_t now_s);

/*
 * Take a newer keyset. One that is not newer is ignored: OK too. DENIED: not signed for us, or
 * another account's; NOT_FOUND: no such account. ret_version: in force now.
 */
MUST_CHECK struct status blob_keyring_push(
    struct blob_keyring *ring, const struct id16 *account, struct bytes keyset, uint64_t now_s,
    uint64_t *ret_version);

/*
 * May the peer with this certificate use this right on the account with this token? DENIED with the
 * reason; UNAVAILABLE: the keyset is stale; NOT_FOUND: no such account.
 */
MUST_CHECK struct status blob_keyring_admit(
    struct blob_keyring *ring, const struct id16 *account, enum token_perm perm, struct bytes token,
    const uint8_t cert_sha256[32], uint64_t now_s, uint64_t *ret_version);

/* Version in force and end of its validity; zeros if there is none. */
void blob_keyring_version(
    struct blob_keyring *ring, const struct id16 *account, uint64_t *ret_version,
    uint64_t *ret_valid_until);

DEFINE_OWNED(blob_keyring)
