#pragma once

/* Grants (FORMATS 6): the versions of GK and the epoch, loaded at start. Any thread. */

#include "keystore/vault.h"
#include "lib/capability/grant.h"

struct grants;

MUST_CHECK struct status grants_new(struct vault *vault, struct grants **ret_grants);
void grants_free(struct grants *grants);

uint32_t grants_epoch(const struct grants *grants);

/* Under the newest GK, of this epoch. exp: unix seconds, at most GRANT_LIFE_MAX_S away. */
MUST_CHECK struct status grants_mint(
    const struct grants *grants, uint16_t rights, const struct id16 *tenant,
    const struct id16 *bucket, uint32_t shard, const uint8_t cnf[32], uint64_t exp,
    uint8_t ret_grant[GRANT_SIZE]);

/* K_grant of each GK version for this hour and the next. */
typedef struct status
grants_key_fn(void *context, uint32_t key_no, uint32_t hour, const struct secret *key);
MUST_CHECK struct status grants_each_key(
    const struct grants *grants, uint32_t shard, uint64_t now_s, grants_key_fn *each,
    void *context);

DEFINE_OWNED(grants)
