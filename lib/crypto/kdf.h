#pragma once

/*
 * Key derivation, FORMATS 2: D(K, label, ctx) of SP 800-108 in counter mode with HMAC-SHA-256.
 */

#include "lib/crypto/secret.h"

/* Derive the 32-byte key for label and the parts of ctx joined. key has 32 bytes. */
MUST_CHECK struct status kdf_derive(
    const struct secret *key, const char *label, const struct bytes *parts, size_t count,
    struct secret **ret_key);

/* The same with a ctx in one piece. */
MUST_CHECK struct status
kdf_derive1(const struct secret *key, const char *label, struct bytes ctx, struct secret **ret_key);
