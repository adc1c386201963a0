#pragma once

/*
 * Tenants and users of the Identity vault: names, S3 secrets, policies. It knows no key that opens
 * data. Any thread.
 */

#include "keystore/identity_row.h"
#include "keystore/vault.h"

enum { IDENTITY_ADMIN_KEY_SIZE = 43 };

struct identity_store;

/* The vault outlives the store. cache_entries: signing keys kept. */
MUST_CHECK struct status
identity_store_new(struct vault *vault, size_t cache_entries, struct identity_store **ret_store);
void identity_store_free(struct identity_store *store);

/* 1 to 63 of a-z A-Z 0-9 . _ -, beginning with a letter or digit. */
bool identity_store_name_is_valid(struct bytes name);

/* A new admin key of 43 characters, in a secret. */
MUST_CHECK struct status identity_store_new_admin_key(struct secret **ret_key);

/* EXISTS: the name is taken. */
MUST_CHECK struct status identity_store_add_tenant(
    struct identity_store *store, struct bytes name, const struct id16 *tenant,
    const struct secret *admin_key);

/* NOT_FOUND. */
MUST_CHECK struct status identity_store_find_tenant(
    struct identity_store *store, struct bytes name, struct id16 *ret_tenant);

/* The tenant of that name, if admin_key is its. DENIED for an unknown name as well. */
MUST_CHECK struct status identity_store_check_admin(
    struct identity_store *store, struct bytes name, struct bytes admin_key,
    struct id16 *ret_tenant);

/* Draws access key and secret. */
MUST_CHECK struct status identity_store_add_user(
    struct identity_store *store, const struct id16 *tenant, struct bytes name,
    const struct policy *policy, char ret_access_key[IDENTITY_ACCESS_KEY_SIZE + 1],
    struct secret **ret_secret);

/* NOT_FOUND unless it is a user of the tenant. Idempotent. */
MUST_CHECK struct status identity_store_disable_user(
    struct identity_store *store, const struct id16 *tenant, struct bytes access_key);

/* An active or disabled user; the row borrows from value. */
MUST_CHECK struct status identity_store_find_user(
    struct identity_store *store, struct bytes access_key, struct buffer *value,
    struct identity_user_row *ret_row);

/* The user's SigV4 signing key of a day and region; cached. */
MUST_CHECK struct status identity_store_signing_key(
    struct identity_store *store, struct bytes access_key, const struct identity_user_row *user,
    struct bytes date, struct bytes region, struct secret **ret_key);

typedef struct status
identity_tenant_fn(void *context, struct bytes name, const struct identity_tenant_row *tenant);
MUST_CHECK struct status
identity_store_each_tenant(struct identity_store *store, identity_tenant_fn *each, void *context);

typedef struct status
identity_user_fn(void *context, struct bytes access_key, const struct identity_user_row *user);
MUST_CHECK struct status identity_store_each_user(
    struct identity_store *store, const struct id16 *tenant, identity_user_fn *each, void *context);

MUST_CHECK struct status identity_store_count_users(
    struct identity_store *store, const struct id16 *tenant, uint32_t *ret_count);
MUST_CHECK struct status
identity_store_count(struct identity_store *store, uint32_t *ret_tenants, uint32_t *ret_users);

DEFINE_OWNED(identity_store)
