#pragma once

/*
 * AES-256-GCM (SP 800-38D, tag 16 bytes, iv 12 bytes) and GMAC.
 *
 * An aead is a key schedule that one thread at a time uses. The caller never gives the same
 * iv twice with one key.
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/crypto/secret.h"

enum { AEAD_IV_SIZE = 12, AEAD_TAG_SIZE = 16 };

struct aead;

MUST_CHECK struct status aead_new(const struct secret *key, struct aead **ret_aead);
void aead_free(struct aead *aead);

/* Encrypt data[0..size) in place and write its tag. */
MUST_CHECK struct status aead_seal(
    struct aead *aead, const uint8_t iv[AEAD_IV_SIZE], struct bytes aad, uint8_t *data, size_t size,
    uint8_t ret_tag[AEAD_TAG_SIZE]);

/* Decrypt in place; CORRUPT when the tag is wrong, and then the data is wiped. */
MUST_CHECK struct status aead_open(
    struct aead *aead, const uint8_t iv[AEAD_IV_SIZE], struct bytes aad, uint8_t *data, size_t size,
    const uint8_t tag[AEAD_TAG_SIZE]);

/* GMAC over count parts joined: the tag of an empty plaintext. */
MUST_CHECK struct status aead_gmac(
    struct aead *aead, const uint8_t iv[AEAD_IV_SIZE], const struct bytes *parts, size_t count,
    uint8_t ret_tag[AEAD_TAG_SIZE]);

/* One block of AES-256 with a 32-byte key: a permutation of 16 bytes (fragment ids, ETag masks). */
MUST_CHECK struct status
aead_block_encrypt(const struct secret *key, const uint8_t in[16], uint8_t ret_out[16]);
MUST_CHECK struct status
aead_block_decrypt(const struct secret *key, const uint8_t in[16], uint8_t ret_out[16]);

DEFINE_OWNED(aead)
