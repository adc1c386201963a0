#pragma once

/*
 * A grant, FORMATS 6 (120 bytes, "TGR1"): what the key store lets a frontend do in the content DB,
 * for at most 300 s, bound to the frontend's certificate. Values; any thread.
 */

#include "lib/format/ids.h"

enum {
    GRANT_SIZE = 120,
    GRANT_READ = 1,
    GRANT_WRITE = 2,
    GRANT_ADMIN = 4,
    GRANT_LIST_BUCKETS = 8,
    GRANT_LIFE_MAX_S = 300,
};

struct grant {
    uint16_t rights;
    uint64_t exp; /* Unix seconds. */
    struct id16 tenant;
    struct id16 bucket;
    uint8_t cnf[32];
    uint32_t key_no;
    uint32_t epoch;
};

/* K_grant = D(GK, "triad/v1/gk", shard u32 hour u32), hour = exp / 3600. */
MUST_CHECK struct status
grant_key(const struct secret *gk, uint32_t shard, uint32_t hour, struct secret **ret_key);

MUST_CHECK struct status
grant_mint(const struct secret *grant_key, const struct grant *grant, uint8_t ret[GRANT_SIZE]);

/* Fields only, nothing verified: to find the key (key_no, hour). INVALID names the field. */
MUST_CHECK struct status grant_decode(struct bytes encoded, struct grant *ret_grant);

/*
 * DENIED unless the MAC fits, now_s < exp <= now_s + 300, cnf is cert_sha256 and epoch >=
 * min_epoch.
 */
MUST_CHECK struct status grant_verify(
    const struct secret *grant_key, struct bytes encoded, uint64_t now_s,
    const uint8_t cert_sha256[32], uint32_t min_epoch, struct grant *ret_grant);
