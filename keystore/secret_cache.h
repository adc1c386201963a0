#pragma once

/*
 * A bounded cache of derived or unwrapped keys by a name of bytes. It hands out copies, so that an
 * entry can go at any time; the oldest use goes first. Any thread.
 */

#include "lib/crypto/secret.h"

struct secret_cache;

MUST_CHECK struct status secret_cache_new(size_t entries_max, struct secret_cache **ret_cache);
void secret_cache_free(struct secret_cache *cache);

/* NOT_FOUND if it is not there. name: parts joined; the caller separates uses by a first part. */
MUST_CHECK struct status secret_cache_get(
    struct secret_cache *cache, const struct bytes *name, size_t count, struct secret **ret_secret);

/* Keep a copy. A failure to keep is no failure: the next one derives again. */
void secret_cache_put(
    struct secret_cache *cache, const struct bytes *name, size_t count,
    const struct secret *secret);

/* Forget everything: after a key was destroyed. */
void secret_cache_clear(struct secret_cache *cache);

size_t secret_cache_count(struct secret_cache *cache);

DEFINE_OWNED(secret_cache)
