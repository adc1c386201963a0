#include "keystore/grants.h"

#include "keystore/key_row.h"
#include "lib/base/encode.h"
#include "lib/crypto/kdf.h"

#include <stdlib.h>

enum { VERSIONS_MAX = 8, HOUR_S = 3600 };

struct grants {
    struct vault *vault; /* Outlives us. */
    uint32_t epoch;
    struct {
        uint32_t version;
        struct secret *key; /* Owned. */
    } keys[VERSIONS_MAX];   /* By rising version; immutable after start. */
    size_t count;
};

static struct status load_key(void *context, struct bytes key, struct bytes value)
{
    struct grants *grants = context;
    OWNED(secret) struct secret *kek = NULL;

    if (key.size != 5 || value.size != 8 + KEY_WRAP_SIZE || grants->count == VERSIONS_MAX) {
        return FAIL(CORRUPT, "grant key row");
    }
    TRY(kdf_derive1(vault_root(grants->vault), "triad/v1/gk", bytes_from(key, 1), &kek));
    TRY(key_unwrap(kek, bytes_from(value, 8), &grants->keys[grants->count].key));
    grants->keys[grants->count++].version = decode_u32(key.data + 1);
    return OK;
}

struct status grants_new(struct vault *vault, struct grants **ret_grants)
{
    BUFFER(epoch, 16);
    struct key_row_key key = key_row_epoch();

    OWNED(grants) struct grants *grants = calloc(1, sizeof(*grants));
    if (grants == NULL) {
        return FAIL(NO_MEMORY, "grants");
    }
    grants->vault = vault;
    TRY(vault_walk(vault, bytes_text("G"), load_key, grants));
    TRY(vault_get(vault, key_row_view(&key), &epoch));
    if (grants->count == 0 || epoch.size != 4) {
        return FAIL(CORRUPT, "grant keys or their epoch");
    }
    grants->epoch = decode_u32(epoch.data);
    *ret_grants = TAKE(grants);
    return OK;
}

void grants_free(struct grants *grants)
{
    if (grants == NULL) {
        return;
    }
    for (size_t i = 0; i < grants->count; i++) {
        secret_free(grants->keys[i].key);
    }
    free(grants);
}

uint32_t grants_epoch(const struct grants *grants)
{
    return grants->epoch;
}

struct status grants_mint(
    const struct grants *grants, uint16_t rights, const struct id16 *tenant,
    const struct id16 *bucket, uint32_t shard, const uint8_t cnf[32], uint64_t exp,
    uint8_t ret_grant[GRANT_SIZE])
{
    OWNED(secret) struct secret *key = NULL;
    size_t last = grants->count - 1;
    struct grant grant = {
        .rights = rights,
        .exp = exp,
        .tenant = *tenant,
        .bucket = *bucket,
        .key_no = grants->keys[last].version,
        .epoch = grants->epoch,
    };

    memcpy(grant.cnf, cnf, sizeof(grant.cnf));
    TRY(grant_key(grants->keys[last].key, shard, (uint32_t)(exp / HOUR_S), &key));
    return grant_mint(key, &grant, ret_grant);
}

struct status grants_each_key(
    const struct grants *grants, uint32_t shard, uint64_t now_s, grants_key_fn *each, void *context)
{
    for (size_t i = 0; i < grants->count; i++) {
        for (uint32_t ahead = 0; ahead < 2; ahead++) {
            OWNED(secret) struct secret *key = NULL;
            uint32_t hour = (uint32_t)(now_s / HOUR_S) + ahead;
            TRY(grant_key(grants->keys[i].key, shard, hour, &key));
            TRY(each(context, grants->keys[i].version, hour, key));
        }
    }
    return OK;
}
