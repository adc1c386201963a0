#pragma once

/*
 * Master, tenant, bucket, attribute and object keys: made, wrapped, unwrapped (FORMATS 2). Master
 * to bucket keys never leave this process. Unwrapped tenant, bucket and attribute keys are cached
 * within a bound. Any thread.
 */

#include "keystore/key_row.h"
#include "keystore/vault.h"

struct key_hierarchy;

/* Write MK, GK and IK version 1 and the epoch of grants into a new vault. EXISTS if done. */
MUST_CHECK struct status key_hierarchy_init(struct vault *vault);

/* Loads every version of MK. The vault outlives the hierarchy. */
MUST_CHECK struct status
key_hierarchy_new(struct vault *vault, size_t cache_entries, struct key_hierarchy **ret_hierarchy);
void key_hierarchy_free(struct key_hierarchy *hierarchy);

/* Draw TK version 1 and append the row of a new, active tenant. */
MUST_CHECK struct status key_hierarchy_make_tenant(
    struct key_hierarchy *hierarchy, const struct id16 *tenant, struct buffer *row);

/* Draw BK version 1 and AK and append the row of a new bucket in state creating. */
MUST_CHECK struct status key_hierarchy_make_bucket(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant, const struct id16 *bucket,
    const uint8_t name_sha256[32], struct buffer *row);

MUST_CHECK struct status key_hierarchy_attribute_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, struct secret **ret_key);

/* A new FK for data, and its key_ref under the bucket's last key version. */
MUST_CHECK struct status key_hierarchy_make_object_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, const struct id16 *data, struct secret **ret_key,
    struct buffer *key_ref);

/* FK behind a key_ref. CORRUPT: it is not one of this bucket and data. UNSUPPORTED: its kind. */
MUST_CHECK struct status key_hierarchy_open_object_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, const struct id16 *data, struct bytes key_ref,
    struct secret **ret_key);

/* A shard's DEK under the newest MK, and back under any. */
MUST_CHECK struct status key_hierarchy_wrap_dek(
    struct key_hierarchy *hierarchy, const struct id16 *db_uuid, uint32_t shard, uint32_t version,
    const struct secret *dek, uint8_t ret_wrapped[KEY_WRAP_SIZE]);
MUST_CHECK struct status key_hierarchy_open_dek(
    struct key_hierarchy *hierarchy, const struct id16 *db_uuid, uint32_t shard, uint32_t version,
    struct bytes wrapped, struct secret **ret_dek);

/* The key that wraps a shard's recovery key inside the vault. */
MUST_CHECK struct status key_hierarchy_recovery_kek(
    struct key_hierarchy *hierarchy, uint32_t shard, struct secret **ret_kek);

DEFINE_OWNED(key_hierarchy)
