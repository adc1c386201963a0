#pragma once

/*
 * Signatures: alg 1 = Ed25519 (RFC 8032), alg 2 = ECDSA P-256 with SHA-256, raw r||s.
 * A public key is its DER SubjectPublicKeyInfo; a private key its DER PKCS#8, in a secret.
 */

#include "lib/base/buffer.h"
#include "lib/crypto/secret.h"

enum signature_alg { SIGNATURE_ED25519 = 1, SIGNATURE_P256 = 2 };
enum { SIGNATURE_SIZE = 64, SIGNATURE_SPKI_MAX = 128, SIGNATURE_KID_SIZE = 8 };

/* A new pair: PKCS#8 and, appended to spki, the public key. */
MUST_CHECK struct status
signature_generate(enum signature_alg alg, struct secret **ret_pkcs8, struct buffer *spki);

/* Sign prefix || message; prefix separates the uses ("TRIAD-CAP-v1\0" and so on). */
MUST_CHECK struct status signature_sign(
    enum signature_alg alg, const struct secret *pkcs8, struct bytes prefix, struct bytes message,
    uint8_t ret_signature[SIGNATURE_SIZE]);

/* DENIED when the signature is wrong; INVALID when spki is not a key of alg. */
MUST_CHECK struct status signature_verify(
    enum signature_alg alg, struct bytes spki, struct bytes prefix, struct bytes message,
    struct bytes signature);

/* The kid of a key: the first 8 bytes of SHA-256(spki). */
MUST_CHECK struct status signature_kid(struct bytes spki, uint8_t ret_kid[SIGNATURE_KID_SIZE]);
