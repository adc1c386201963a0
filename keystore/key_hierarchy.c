#include "keystore/key_hierarchy.h"

#include "keystore/secret_cache.h"
#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/crypto/kdf.h"
#include "lib/format/version_record.h"

#include <stdlib.h>

enum {
    MASTERS_MAX = 64,
    KEY_REF_BUCKET = 1,
};

struct master {
    uint32_t version;
    struct secret *key; /* Owned. */
};

struct key_hierarchy {
    struct vault *vault;                /* Outlives us. */
    struct master masters[MASTERS_MAX]; /* By rising version; set at start only. */
    size_t masters_count;
    struct secret_cache *cache; /* Owned. */
};

/* D(key, label, parts | u32) */
static struct status derive_u32(
    const struct secret *key, const char *label, const struct id16 *a, const struct id16 *b,
    uint32_t number, struct secret **ret_key)
{
    uint8_t encoded[4];
    struct bytes parts[3];
    size_t count = 0;

    encode_u32(encoded, number);
    if (a != NULL) {
        parts[count++] = id16_view(a);
    }
    if (b != NULL) {
        parts[count++] = id16_view(b);
    }
    parts[count++] = BYTES_ARRAY(encoded);
    return kdf_derive(key, label, parts, count, ret_key);
}

static struct status derive_ids(
    const struct secret *key, const char *label, const struct id16 *a, const struct id16 *b,
    const struct id16 *c, struct secret **ret_key)
{
    const struct bytes parts[] = {
        id16_view(a), id16_view(b), c == NULL ? bytes_of(NULL, 0) : id16_view(c)};

    return kdf_derive(key, label, parts, c == NULL ? 2 : 3, ret_key);
}

/* ---- start ---- */

static struct status load_master(void *context, struct bytes key, struct bytes value)
{
    struct key_hierarchy *hierarchy = context;
    OWNED(secret) struct secret *kek = NULL;

    if (key.size != 5 || hierarchy->masters_count == MASTERS_MAX) {
        return FAIL(CORRUPT, "master key row");
    }
    struct master *master = &hierarchy->masters[hierarchy->masters_count];
    master->version = decode_u32(key.data + 1);
    TRY(derive_u32(vault_root(hierarchy->vault), "triad/v1/mk", NULL, NULL, master->version, &kek));
    TRY(key_unwrap(kek, value, &master->key));
    hierarchy->masters_count++;
    return OK;
}

struct status
key_hierarchy_new(struct vault *vault, size_t cache_entries, struct key_hierarchy **ret_hierarchy)
{
    OWNED(key_hierarchy) struct key_hierarchy *hierarchy = calloc(1, sizeof(*hierarchy));
    if (hierarchy == NULL) {
        return FAIL(NO_MEMORY, "key hierarchy");
    }
    hierarchy->vault = vault;
    TRY(secret_cache_new(cache_entries, &hierarchy->cache));
    TRY(vault_walk(vault, bytes_text("M"), load_master, hierarchy));
    if (hierarchy->masters_count == 0) {
        return FAIL(NOT_FOUND, "the vault has no master key: run keystore init");
    }
    *ret_hierarchy = TAKE(hierarchy);
    return OK;
}

void key_hierarchy_free(struct key_hierarchy *hierarchy)
{
    if (hierarchy == NULL) {
        return;
    }
    for (size_t i = 0; i < hierarchy->masters_count; i++) {
        secret_free(hierarchy->masters[i].key);
    }
    secret_cache_free(hierarchy->cache);
    free(hierarchy);
}

static const struct master *newest(const struct key_hierarchy *hierarchy)
{
    CHECK(hierarchy->masters_count > 0);
    return &hierarchy->masters[hierarchy->masters_count - 1];
}

static const struct master *find_master(const struct key_hierarchy *hierarchy, uint32_t version)
{
    for (size_t i = 0; i < hierarchy->masters_count; i++) {
        if (hierarchy->masters[i].version == version) {
            return &hierarchy->masters[i];
        }
    }
    return NULL;
}

/* ---- tenants ---- */

struct status key_hierarchy_make_tenant(
    struct key_hierarchy *hierarchy, const struct id16 *tenant, struct buffer *row)
{
    const struct master *master = newest(hierarchy);
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *key = NULL;
    uint8_t wrapped[KEY_WRAP_SIZE];
    uint8_t version[4];

    TRY(secret_new_random(SECRET_KEY_SIZE, &key));
    TRY(derive_u32(master->key, "triad/v1/tk", tenant, NULL, 1, &kek));
    TRY(key_wrap(kek, key, wrapped));
    encode_u32(version, master->version);
    struct tenant_row made = {
        .tenant = *tenant,
        .state = TENANT_ACTIVE,
        .tk_ver = 1,
        .protectors_count = 1,
        .protectors =
            {{.kind = PROTECTOR_MASTER,
              .kek_version = BYTES_ARRAY(version),
              .alg = WRAP_ALG_KW,
              .wrapped = BYTES_ARRAY(wrapped)}},
    };
    key_row_encode_tenant(row, &made);
    return buffer_status(row);
}

static struct status unwrap_tenant_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant, struct secret **ret_key)
{
    for (size_t i = 0; i < tenant->protectors_count; i++) {
        const struct protector *protector = &tenant->protectors[i];
        if (protector->kind != PROTECTOR_MASTER || protector->kek_version.size != 4) {
            continue;
        }
        OWNED(secret) struct secret *kek = NULL;
        const struct master *master =
            find_master(hierarchy, decode_u32(protector->kek_version.data));
        if (master == NULL) {
            continue;
        }
        TRY(derive_u32(master->key, "triad/v1/tk", &tenant->tenant, NULL, tenant->tk_ver, &kek));
        return key_unwrap(kek, protector->wrapped, ret_key);
    }
    return FAIL(CORRUPT, "tenant has no protector that we can open");
}

static struct status tenant_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant, struct secret **ret_key)
{
    uint8_t version[4];

    encode_u32(version, tenant->tk_ver);
    const struct bytes name[] = {
        bytes_text("tk"), id16_view(&tenant->tenant), BYTES_ARRAY(version)};
    if (status_ok(secret_cache_get(hierarchy->cache, name, 3, ret_key))) {
        return OK;
    }
    TRY(unwrap_tenant_key(hierarchy, tenant, ret_key));
    secret_cache_put(hierarchy->cache, name, 3, *ret_key);
    return OK;
}

/* ---- buckets ---- */

static struct status bucket_kek(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant, const struct id16 *bucket,
    uint32_t bk_ver, struct secret **ret_kek)
{
    OWNED(secret) struct secret *parent = NULL;

    TRY(tenant_key(hierarchy, tenant, &parent));
    return derive_u32(parent, "triad/v1/bk", &tenant->tenant, bucket, bk_ver, ret_kek);
}

struct status key_hierarchy_make_bucket(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant, const struct id16 *bucket,
    const uint8_t name_sha256[32], struct buffer *row)
{
    OWNED(secret) struct secret *bk = NULL;
    OWNED(secret) struct secret *ak = NULL;
    OWNED(secret) struct secret *bk_kek = NULL;
    OWNED(secret) struct secret *ak_kek = NULL;
    uint8_t wrapped[KEY_WRAP_SIZE];
    struct bucket_row made = {
        .bucket = *bucket,
        .tenant = tenant->tenant,
        .state = BUCKET_CREATING,
        .ak_bk_ver = 1,
        .versions_count = 1,
    };

    memcpy(made.name_sha256, name_sha256, sizeof(made.name_sha256));
    TRY(secret_new_random(SECRET_KEY_SIZE, &bk));
    TRY(secret_new_random(SECRET_KEY_SIZE, &ak));
    TRY(bucket_kek(hierarchy, tenant, bucket, 1, &bk_kek));
    TRY(key_wrap(bk_kek, bk, wrapped));
    TRY(derive_ids(bk, "triad/v1/ak", &tenant->tenant, bucket, NULL, &ak_kek));
    TRY(key_wrap(ak_kek, ak, made.ak_wrapped));
    made.versions[0] = (struct bucket_key_row){
        .bk_ver = 1,
        .parent_kind = BUCKET_PARENT_TENANT,
        .parent = tenant->tenant,
        .parent_ver = tenant->tk_ver,
        .alg = WRAP_ALG_KW,
        .wrapped = BYTES_ARRAY(wrapped),
    };
    key_row_encode_bucket(row, &made);
    return buffer_status(row);
}

static const struct bucket_key_row *find_version(const struct bucket_row *bucket, uint32_t bk_ver)
{
    for (size_t i = 0; i < bucket->versions_count; i++) {
        if (bucket->versions[i].bk_ver == bk_ver) {
            return &bucket->versions[i];
        }
    }
    return NULL;
}

static struct status unwrap_bucket_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, uint32_t bk_ver, struct secret **ret_key)
{
    const struct bucket_key_row *version = find_version(bucket, bk_ver);
    OWNED(secret) struct secret *kek = NULL;

    if (version == NULL) {
        return FAIL(CORRUPT, "no such version of the bucket key");
    }
    if (version->parent_kind != BUCKET_PARENT_TENANT || version->parent_ver != tenant->tk_ver) {
        return FAIL(UNSUPPORTED, "parent of the bucket key");
    }
    TRY(bucket_kek(hierarchy, tenant, &bucket->bucket, bk_ver, &kek));
    return key_unwrap(kek, version->wrapped, ret_key);
}

static struct status bucket_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, uint32_t bk_ver, struct secret **ret_key)
{
    uint8_t version[4];

    encode_u32(version, bk_ver);
    const struct bytes name[] = {
        bytes_text("bk"), id16_view(&bucket->bucket), BYTES_ARRAY(version)};
    if (status_ok(secret_cache_get(hierarchy->cache, name, 3, ret_key))) {
        return OK;
    }
    TRY(unwrap_bucket_key(hierarchy, tenant, bucket, bk_ver, ret_key));
    secret_cache_put(hierarchy->cache, name, 3, *ret_key);
    return OK;
}

static struct status unwrap_attribute_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, struct secret **ret_key)
{
    OWNED(secret) struct secret *bk = NULL;
    OWNED(secret) struct secret *kek = NULL;

    TRY(bucket_key(hierarchy, tenant, bucket, bucket->ak_bk_ver, &bk));
    TRY(derive_ids(bk, "triad/v1/ak", &tenant->tenant, &bucket->bucket, NULL, &kek));
    return key_unwrap(kek, BYTES_ARRAY(bucket->ak_wrapped), ret_key);
}

struct status key_hierarchy_attribute_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, struct secret **ret_key)
{
    const struct bytes name[] = {bytes_text("ak"), id16_view(&bucket->bucket)};

    if (status_ok(secret_cache_get(hierarchy->cache, name, 2, ret_key))) {
        return OK;
    }
    TRY(unwrap_attribute_key(hierarchy, tenant, bucket, ret_key));
    secret_cache_put(hierarchy->cache, name, 2, *ret_key);
    return OK;
}

/* ---- object keys ---- */

static struct status object_kek(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, uint32_t bk_ver, const struct id16 *data,
    struct secret **ret_kek)
{
    OWNED(secret) struct secret *bk = NULL;

    TRY(bucket_key(hierarchy, tenant, bucket, bk_ver, &bk));
    return derive_ids(bk, "triad/v1/fk", &tenant->tenant, &bucket->bucket, data, ret_kek);
}

struct status key_hierarchy_make_object_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, const struct id16 *data, struct secret **ret_key,
    struct buffer *key_ref)
{
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *key = NULL;
    uint8_t wrapped[KEY_WRAP_SIZE];
    uint32_t bk_ver = bucket->versions[bucket->versions_count - 1].bk_ver;

    TRY(object_kek(hierarchy, tenant, bucket, bk_ver, data, &kek));
    TRY(secret_new_random(SECRET_KEY_SIZE, &key));
    TRY(key_wrap(kek, key, wrapped));
    struct key_ref made = {
        .kind = KEY_REF_BUCKET,
        .alg = WRAP_ALG_KW,
        .bk_ver = bk_ver,
        .wrapped = BYTES_ARRAY(wrapped),
    };
    key_ref_encode(key_ref, &made);
    TRY(buffer_status(key_ref));
    *ret_key = TAKE(key);
    return OK;
}

struct status key_hierarchy_open_object_key(
    struct key_hierarchy *hierarchy, const struct tenant_row *tenant,
    const struct bucket_row *bucket, const struct id16 *data, struct bytes key_ref,
    struct secret **ret_key)
{
    struct key_ref ref;
    OWNED(secret) struct secret *kek = NULL;

    TRY(key_ref_decode(key_ref, &ref));
    if (ref.kind != KEY_REF_BUCKET || ref.alg != WRAP_ALG_KW) {
        return FAIL(UNSUPPORTED, "kind of key_ref");
    }
    if (ref.wrapped.size != KEY_WRAP_SIZE) {
        return FAIL(CORRUPT, "length of a wrapped object key");
    }
    TRY(object_kek(hierarchy, tenant, bucket, ref.bk_ver, data, &kek));
    return key_unwrap(kek, ref.wrapped, ret_key);
}

/* ---- shards ---- */

static struct status dek_kek(
    const struct master *master, const struct id16 *db_uuid, uint32_t shard, uint32_t version,
    struct secret **ret_kek)
{
    uint8_t numbers[8];

    encode_u32(numbers, shard);
    encode_u32(numbers + 4, version);
    const struct bytes parts[] = {id16_view(db_uuid), BYTES_ARRAY(numbers)};
    return kdf_derive(master->key, "triad/v1/tde", parts, 2, ret_kek);
}

struct status key_hierarchy_wrap_dek(
    struct key_hierarchy *hierarchy, const struct id16 *db_uuid, uint32_t shard, uint32_t version,
    const struct secret *dek, uint8_t ret_wrapped[KEY_WRAP_SIZE])
{
    OWNED(secret) struct secret *kek = NULL;

    TRY(dek_kek(newest(hierarchy), db_uuid, shard, version, &kek));
    return key_wrap(kek, dek, ret_wrapped);
}

struct status key_hierarchy_open_dek(
    struct key_hierarchy *hierarchy, const struct id16 *db_uuid, uint32_t shard, uint32_t version,
    struct bytes wrapped, struct secret **ret_dek)
{
    if (wrapped.size != KEY_WRAP_SIZE) {
        return FAIL(CORRUPT, "length of a wrapped DEK");
    }
    /* The wrapping says by itself whether it is this master key's. */
    for (size_t i = hierarchy->masters_count; i > 0; i--) {
        OWNED(secret) struct secret *kek = NULL;
        TRY(dek_kek(&hierarchy->masters[i - 1], db_uuid, shard, version, &kek));
        struct status status = key_unwrap(kek, wrapped, ret_dek);
        if (status.code != STATUS_CORRUPT) {
            return status;
        }
    }
    return FAIL(CORRUPT, "DEK is not of this shard and key store");
}

struct status
key_hierarchy_recovery_kek(struct key_hierarchy *hierarchy, uint32_t shard, struct secret **ret_kek)
{
    return derive_u32(
        vault_root(hierarchy->vault), "triad/v1/recovery", NULL, NULL, shard, ret_kek);
}
