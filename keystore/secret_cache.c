#include "keystore/secret_cache.h"

#include "lib/base/map.h"
#include "lib/crypto/digest.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
    struct entry *newer;
    struct entry *older;
    uint8_t name[DIGEST_SHA256_SIZE];
    struct secret *secret; /* Owned. */
};

struct secret_cache {
    pthread_mutex_t mutex;
    struct map *entries; /* Owned, by SHA-256 of the name. */
    struct entry ring;   /* ring.newer is the oldest, ring.older the newest. */
    size_t entries_max;
};

struct status secret_cache_new(size_t entries_max, struct secret_cache **ret_cache)
{
    OWNED(secret_cache) struct secret_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return FAIL(NO_MEMORY, "secret cache");
    }
    pthread_mutex_init(&cache->mutex, NULL);
    cache->ring.newer = &cache->ring;
    cache->ring.older = &cache->ring;
    cache->entries_max = entries_max;
    TRY(map_new(DIGEST_SHA256_SIZE, &cache->entries));
    *ret_cache = TAKE(cache);
    return OK;
}

static void unlink_entry(struct entry *entry)
{
    entry->newer->older = entry->older;
    entry->older->newer = entry->newer;
}

static void link_newest(struct secret_cache *cache, struct entry *entry)
{
    entry->older = cache->ring.older;
    entry->newer = &cache->ring;
    cache->ring.older->newer = entry;
    cache->ring.older = entry;
}

static void drop(struct secret_cache *cache, struct entry *entry)
{
    unlink_entry(entry);
    map_remove(cache->entries, entry->name);
    secret_free(entry->secret);
    free(entry);
}

void secret_cache_clear(struct secret_cache *cache)
{
    LOCKED(&cache->mutex);
    while (cache->ring.newer != &cache->ring) {
        drop(cache, cache->ring.newer);
    }
}

void secret_cache_free(struct secret_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    secret_cache_clear(cache);
    map_free(cache->entries);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

struct status secret_cache_get(
    struct secret_cache *cache, const struct bytes *name, size_t count, struct secret **ret_secret)
{
    uint8_t hash[DIGEST_SHA256_SIZE];

    TRY(digest_sha256(name, count, hash));
    LOCKED(&cache->mutex);
    struct entry *entry = map_get(cache->entries, hash);
    if (entry == NULL) {
        return FAIL(NOT_FOUND, "not cached");
    }
    unlink_entry(entry);
    link_newest(cache, entry);
    return secret_new_copy(secret_bytes(entry->secret), ret_secret);
}

static struct status
add(struct secret_cache *cache, const uint8_t hash[DIGEST_SHA256_SIZE], const struct secret *secret)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return FAIL(NO_MEMORY, "cached secret");
    }
    memcpy(entry->name, hash, sizeof(entry->name));
    struct status status = secret_new_copy(secret_bytes(secret), &entry->secret);
    if (status_ok(status)) {
        status = map_put(cache->entries, hash, entry, NULL);
    }
    if (!status_ok(status)) {
        secret_free(entry->secret);
        free(entry);
        return status;
    }
    link_newest(cache, entry);
    return OK;
}

void secret_cache_put(
    struct secret_cache *cache, const struct bytes *name, size_t count, const struct secret *secret)
{
    uint8_t hash[DIGEST_SHA256_SIZE];

    if (cache->entries_max == 0 || !status_ok(digest_sha256(name, count, hash))) {
        return;
    }
    LOCKED(&cache->mutex);
    if (map_get(cache->entries, hash) != NULL) {
        return;
    }
    if (map_count(cache->entries) >= cache->entries_max) {
        drop(cache, cache->ring.newer);
    }
    IGNORE(add(cache, hash, secret)); /* Then it is derived again. */
}

size_t secret_cache_count(struct secret_cache *cache)
{
    LOCKED(&cache->mutex);
    return map_count(cache->entries);
}
