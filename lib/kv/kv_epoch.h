#pragma once

/*
 * Epoch rows and the keys that follow from them, FORMATS 8.
 *
 *   epoch row = fence u32 | salt32 | dek_ver u32 | HMAC-SHA-256(D(DEK,"triad/v1/tde/epoch",db),
 * ...) K_log     = D(DEK_v, "triad/v1/tde/log", db_uuid16 | fence u32 | salt32)
 */

#include "lib/crypto/aead.h"
#include "lib/kv/kv.h"

enum { KV_EPOCH_SIZE = 72 };

/* A new row under dek, with a random salt. */
MUST_CHECK struct status kv_epoch_make(
    const struct id16 *db, uint32_t fence, const struct kv_dek *dek,
    uint8_t ret_row[KV_EPOCH_SIZE]);

/*
 * Check a row and derive the log key of its fence. CORRUPT: it is not this database's, this
 * fence's or this key's; DENIED: its DEK is not among deks.
 */
MUST_CHECK struct status kv_epoch_open(
    const struct id16 *db, uint32_t fence, const struct kv_dek *deks, size_t deks_count,
    struct bytes row, struct aead **ret_log_key);
