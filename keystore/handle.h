#pragma once

/*
 * A handle: what the key store remembers of a proven request, kept by the frontend, MACed by the
 * key store for itself (FORMATS 6). Drawn in handle.c. It survives a restart. Values.
 */

#include "lib/crypto/secret.h"
#include "lib/format/ids.h"

enum handle_purpose {
    HANDLE_REQUEST = 0,
    HANDLE_CREATES_BUCKET = 1,
    HANDLE_DELETES_BUCKET = 2,
};

enum { HANDLE_SIZE = 184, HANDLE_ACCESS_KEY_SIZE = 20 };

struct handle {
    enum handle_purpose purpose;
    uint16_t rights;
    uint64_t start_s; /* Unix seconds. */
    struct id16 tenant;
    struct id16 bucket;
    struct id16 data;
    uint8_t cnf[32];
    uint8_t policy_sha256[32]; /* Of the user's policy when it was proved. */
    char access_key[HANDLE_ACCESS_KEY_SIZE];
};

/* D(root, "triad/v1/handle", "") */
MUST_CHECK struct status handle_key(const struct secret *root, struct secret **ret_key);

MUST_CHECK struct status
handle_seal(const struct secret *key, const struct handle *handle, uint8_t ret_sealed[HANDLE_SIZE]);

/* DENIED unless it is ours, of this certificate and at most life_max_s old. */
MUST_CHECK struct status handle_open(
    const struct secret *key, struct bytes sealed, const uint8_t cert_sha256[32], uint64_t now_s,
    uint64_t life_max_s, struct handle *ret_handle);
