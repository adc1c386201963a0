#include "keystore/identity_store.h"

#include "keystore/secret_cache.h"
#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"
#include "lib/crypto/key_wrap.h"
#include "lib/crypto/random.h"
#include "lib/s3/sigv4.h"

#include <stdlib.h>

struct identity_store {
    struct vault *vault;        /* Outlives us. */
    struct secret_cache *cache; /* Owned: signing keys. */
};

struct status
identity_store_new(struct vault *vault, size_t cache_entries, struct identity_store **ret_store)
{
    OWNED(identity_store) struct identity_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return FAIL(NO_MEMORY, "identity store");
    }
    store->vault = vault;
    TRY(secret_cache_new(cache_entries, &store->cache));
    *ret_store = TAKE(store);
    return OK;
}

void identity_store_free(struct identity_store *store)
{
    if (store == NULL) {
        return;
    }
    secret_cache_free(store->cache);
    free(store);
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool identity_store_name_is_valid(struct bytes name)
{
    if (name.size == 0 || name.size > IDENTITY_NAME_MAX || !is_alphanumeric(name.data[0])) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

/* size random letters and digits in a secret: nothing that a shell or a command line would take
 * for something else. */
static struct status new_text_secret(size_t size, struct secret **ret_secret)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    OWNED(secret) struct secret *random = NULL;
    OWNED(secret) struct secret *made = NULL;

    TRY(secret_new_random(4 * size, &random));
    TRY(secret_new(size, &made));
    for (size_t i = 0; i < size; i++) {
        uint32_t number = decode_u32(secret_bytes(random).data + 4 * i);
        secret_data(made)[i] = (uint8_t)alphabet[number % (sizeof(alphabet) - 1)];
    }
    *ret_secret = TAKE(made);
    return OK;
}

/* Not a secret: it travels in every request. */
static struct status new_access_key(char ret_key[IDENTITY_ACCESS_KEY_SIZE + 1])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t random[IDENTITY_ACCESS_KEY_SIZE];

    TRY(random_bytes(random, sizeof(random)));
    for (size_t i = 0; i < sizeof(random); i++) {
        ret_key[i] = alphabet[random[i] & 31];
    }
    ret_key[IDENTITY_ACCESS_KEY_SIZE] = '\0';
    return OK;
}

struct status identity_store_new_admin_key(struct secret **ret_key)
{
    return new_text_secret(IDENTITY_ADMIN_KEY_SIZE, ret_key);
}

static struct status sha256_of(struct bytes bytes, uint8_t ret_sha256[DIGEST_SHA256_SIZE])
{
    return digest_sha256(&bytes, 1, ret_sha256);
}

/* ---- tenants ---- */

struct new_row {
    struct identity_row_key key;
    struct bytes value;
    struct identity_row_key member; /* size 0: none. */
};

static struct status put_new(struct kv_view *view, void *arg)
{
    const struct new_row *row = arg;
    struct bytes found;

    if (status_ok(kv_view_get(view, identity_row_view(&row->key), &found))) {
        return FAIL(EXISTS, "name is taken");
    }
    TRY(kv_view_put(view, identity_row_view(&row->key), row->value));
    if (row->member.size > 0) {
        TRY(kv_view_put(view, identity_row_view(&row->member), bytes_of("", 0)));
    }
    return OK;
}

struct status identity_store_add_tenant(
    struct identity_store *store, struct bytes name, const struct id16 *tenant,
    const struct secret *admin_key)
{
    BUFFER(value, IDENTITY_ROW_VALUE_MAX);
    struct identity_tenant_row row = {.tenant = *tenant, .created_ms = (uint64_t)clock_wall_ms()};

    TRY(sha256_of(secret_bytes(admin_key), row.admin_key_sha256));
    identity_row_encode_tenant(&value, &row);
    TRY(buffer_status(&value));
    struct new_row new = {
        .key = identity_row_tenant(name),
        .value = buffer_bytes(&value),
    };
    return vault_apply(store->vault, put_new, &new);
}

static struct status
read_tenant(struct identity_store *store, struct bytes name, struct identity_tenant_row *ret_row)
{
    BUFFER(value, IDENTITY_ROW_VALUE_MAX);

    if (!identity_store_name_is_valid(name)) {
        return FAIL(NOT_FOUND, "no such tenant");
    }
    struct identity_row_key key = identity_row_tenant(name);
    TRY(vault_get(store->vault, identity_row_view(&key), &value));
    return identity_row_decode_tenant(buffer_bytes(&value), ret_row);
}

struct status
identity_store_find_tenant(struct identity_store *store, struct bytes name, struct id16 *ret_tenant)
{
    struct identity_tenant_row row;

    TRY(read_tenant(store, name, &row));
    *ret_tenant = row.tenant;
    return OK;
}

struct status identity_store_check_admin(
    struct identity_store *store, struct bytes name, struct bytes admin_key,
    struct id16 *ret_tenant)
{
    struct identity_tenant_row row = {.created_ms = 0};
    uint8_t sha256[DIGEST_SHA256_SIZE];

    struct status found = read_tenant(store, name, &row);
    if (!status_ok(found) && found.code != STATUS_NOT_FOUND) {
        return found;
    }
    TRY(sha256_of(admin_key, sha256));
    bool fits = secret_equal(BYTES_ARRAY(sha256), BYTES_ARRAY(row.admin_key_sha256));
    if (!status_ok(found) || !fits) {
        return FAIL(DENIED, "no such tenant, or not its admin key");
    }
    *ret_tenant = row.tenant;
    return OK;
}

/* ---- users ---- */

static struct status
secret_kek(struct identity_store *store, struct bytes access_key, struct secret **ret_kek)
{
    uint8_t sha256[DIGEST_SHA256_SIZE];

    TRY(sha256_of(access_key, sha256));
    return kdf_derive1(vault_root(store->vault), "triad/v1/s3", BYTES_ARRAY(sha256), ret_kek);
}

static struct status wrap_secret(
    struct identity_store *store, struct bytes access_key, const struct secret *secret,
    struct buffer *wrapped)
{
    OWNED(secret) struct secret *kek = NULL;

    TRY(secret_kek(store, access_key, &kek));
    return key_wrap_padded(kek, secret, wrapped);
}

struct status identity_store_add_user(
    struct identity_store *store, const struct id16 *tenant, struct bytes name,
    const struct policy *policy, char ret_access_key[IDENTITY_ACCESS_KEY_SIZE + 1],
    struct secret **ret_secret)
{
    OWNED(secret) struct secret *secret = NULL;
    BUFFER(wrapped, 256);
    BUFFER(value, IDENTITY_ROW_VALUE_MAX);

    TRY(new_access_key(ret_access_key));
    struct bytes access_key = bytes_of(ret_access_key, IDENTITY_ACCESS_KEY_SIZE);
    TRY(new_text_secret(IDENTITY_SECRET_SIZE, &secret));
    TRY(wrap_secret(store, access_key, secret, &wrapped));
    struct identity_user_row row = {
        .tenant = *tenant,
        .is_active = true,
        .created_ms = (uint64_t)clock_wall_ms(),
        .name = name,
        .secret_wrapped = buffer_bytes(&wrapped),
        .policy = *policy,
    };
    identity_row_encode_user(&value, &row);
    TRY(buffer_status(&value));
    struct new_row new = {
        .key = identity_row_user(access_key),
        .value = buffer_bytes(&value),
        .member = identity_row_member(tenant, access_key),
    };
    TRY(vault_apply(store->vault, put_new, &new));
    *ret_secret = TAKE(secret);
    return OK;
}

struct disabling {
    const struct id16 *tenant;
    struct identity_row_key key;
};

static struct status disable(struct kv_view *view, void *arg)
{
    const struct disabling *plan = arg;
    struct identity_user_row row;
    struct bytes found;
    BUFFER(value, IDENTITY_ROW_VALUE_MAX);

    TRY(kv_view_get(view, identity_row_view(&plan->key), &found));
    TRY(identity_row_decode_user(found, &row));
    if (!id16_equal(&row.tenant, plan->tenant)) {
        return FAIL(NOT_FOUND, "no such user of the tenant");
    }
    row.is_active = false;
    identity_row_encode_user(&value, &row);
    TRY(buffer_status(&value));
    return kv_view_put(view, identity_row_view(&plan->key), buffer_bytes(&value));
}

struct status identity_store_disable_user(
    struct identity_store *store, const struct id16 *tenant, struct bytes access_key)
{
    if (access_key.size != IDENTITY_ACCESS_KEY_SIZE) {
        return FAIL(NOT_FOUND, "no such user of the tenant");
    }
    struct disabling plan = {.tenant = tenant, .key = identity_row_user(access_key)};
    return vault_apply(store->vault, disable, &plan);
}

struct status identity_store_find_user(
    struct identity_store *store, struct bytes access_key, struct buffer *value,
    struct identity_user_row *ret_row)
{
    if (access_key.size != IDENTITY_ACCESS_KEY_SIZE) {
        return FAIL(NOT_FOUND, "no such access key");
    }
    struct identity_row_key key = identity_row_user(access_key);
    TRY(vault_get(store->vault, identity_row_view(&key), value));
    return identity_row_decode_user(buffer_bytes(value), ret_row);
}

static struct status derive_signing_key(
    struct identity_store *store, struct bytes access_key, const struct identity_user_row *user,
    struct bytes date, struct bytes region, struct secret **ret_key)
{
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *secret = NULL;

    TRY(secret_kek(store, access_key, &kek));
    TRY(key_unwrap_padded(kek, user->secret_wrapped, &secret));
    return sigv4_signing_key(secret, date, region, bytes_text("s3"), ret_key);
}

struct status identity_store_signing_key(
    struct identity_store *store, struct bytes access_key, const struct identity_user_row *user,
    struct bytes date, struct bytes region, struct secret **ret_key)
{
    /* The wrapped secret is in the name, so that a replaced secret could never be answered from
     * the cache. */
    const struct bytes name[] = {access_key, date, region, user->secret_wrapped};

    if (status_ok(secret_cache_get(store->cache, name, 4, ret_key))) {
        return OK;
    }
    TRY(derive_signing_key(store, access_key, user, date, region, ret_key));
    secret_cache_put(store->cache, name, 4, *ret_key);
    return OK;
}

/* ---- lists ---- */

struct tenants_walk {
    identity_tenant_fn *each;
    void *context;
};

static struct status tenant_found(void *context, struct bytes key, struct bytes value)
{
    const struct tenants_walk *walk = context;
    struct identity_tenant_row row;

    TRY(identity_row_decode_tenant(value, &row));
    return walk->each(walk->context, bytes_from(key, 1), &row);
}

struct status
identity_store_each_tenant(struct identity_store *store, identity_tenant_fn *each, void *context)
{
    struct tenants_walk walk = {each, context};

    return vault_walk(store->vault, bytes_text("t"), tenant_found, &walk);
}

struct users_walk {
    struct identity_store *store;
    identity_user_fn *each;
    void *context;
};

static struct status user_found(void *context, struct bytes key, struct bytes value)
{
    const struct users_walk *walk = context;
    struct identity_user_row row;
    BUFFER(user, IDENTITY_ROW_VALUE_MAX);
    struct bytes access_key = bytes_from(key, 1 + ID16_SIZE);

    (void)value;
    TRY(identity_store_find_user(walk->store, access_key, &user, &row));
    return walk->each(walk->context, access_key, &row);
}

struct status identity_store_each_user(
    struct identity_store *store, const struct id16 *tenant, identity_user_fn *each, void *context)
{
    struct users_walk walk = {store, each, context};
    struct identity_row_key prefix = identity_row_member(tenant, bytes_of(NULL, 0));

    return vault_walk(store->vault, identity_row_view(&prefix), user_found, &walk);
}

struct status identity_store_count_users(
    struct identity_store *store, const struct id16 *tenant, uint32_t *ret_count)
{
    struct identity_row_key prefix = identity_row_member(tenant, bytes_of(NULL, 0));

    return vault_count(store->vault, identity_row_view(&prefix), ret_count);
}

struct status
identity_store_count(struct identity_store *store, uint32_t *ret_tenants, uint32_t *ret_users)
{
    TRY(vault_count(store->vault, bytes_text("t"), ret_tenants));
    return vault_count(store->vault, bytes_text("u"), ret_users);
}
