/*
 * Tokens whose signature was checked, so that it costs once a connection and not once a chunk.
 * key = SHA-256(token) | cnf | keyset version; when full, the oldest makes room.
 */

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/map.h"
#include "lib/capability/token.h"
#include "lib/crypto/digest.h"

#include <pthread.h>
#include <stdlib.h>

enum { CNF_SIZE = 32, CACHE_KEY_SIZE = DIGEST_SHA256_SIZE + CNF_SIZE + 8 };

struct cache_key {
    uint8_t bytes[CACHE_KEY_SIZE];
};

struct token_cache {
    pthread_mutex_t mutex;  /* Held for no check of a signature. */
    struct map *map;        /* Owned; values point into ring. */
    struct cache_key *ring; /* Owned; in order of admission, next is the oldest when full. */
    size_t entries_max;
    size_t count;
    size_t next;
};

struct status token_cache_new(size_t entries_max, struct token_cache **ret_cache)
{
    CHECK(entries_max > 0);
    struct token_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return FAIL(NO_MEMORY, "token cache");
    }
    pthread_mutex_init(&cache->mutex, NULL);
    OWNED(token_cache) struct token_cache *owned = cache;
    cache->entries_max = entries_max;
    cache->ring = calloc(entries_max, sizeof(*cache->ring));
    if (cache->ring == NULL) {
        return FAIL(NO_MEMORY, "token cache");
    }
    TRY(map_new(CACHE_KEY_SIZE, &cache->map));
    *ret_cache = TAKE(owned);
    return OK;
}

void token_cache_free(struct token_cache *cache)
{
    if (cache != NULL) {
        map_free(cache->map);
        free(cache->ring);
        pthread_mutex_destroy(&cache->mutex);
        free(cache);
    }
}

static bool is_known(struct token_cache *cache, const struct cache_key *key)
{
    LOCKED(&cache->mutex);
    return map_get(cache->map, key->bytes) != NULL;
}

static struct status add(struct token_cache *cache, const struct cache_key *key)
{
    LOCKED(&cache->mutex);
    if (map_get(cache->map, key->bytes) != NULL) {
        return OK; /* Another thread was faster. */
    }
    struct cache_key *slot = &cache->ring[cache->next];
    if (cache->count == cache->entries_max) {
        void *oldest = map_remove(cache->map, slot->bytes);
        CHECK(oldest == slot);
        cache->count--;
    }
    TRY(map_put(cache->map, key->bytes, slot, NULL));
    *slot = *key;
    cache->count++;
    cache->next = (cache->next + 1) % cache->entries_max;
    return OK;
}

static struct status make_key(
    struct bytes encoded, const uint8_t *cert_sha256, const struct keyset *keyset,
    struct cache_key *ret_key)
{
    TRY(digest_sha256(&encoded, 1, ret_key->bytes));
    memcpy(ret_key->bytes + DIGEST_SHA256_SIZE, cert_sha256, CNF_SIZE);
    encode_u64(ret_key->bytes + DIGEST_SHA256_SIZE + CNF_SIZE, keyset_content(keyset)->version);
    return OK;
}

struct status token_cache_admit(
    struct token_cache *cache, struct bytes encoded, const struct keyset *keyset,
    const uint8_t cert_sha256[32], enum token_perm perm, const struct id16 *account, uint64_t now_s,
    uint64_t life_max_s)
{
    struct token token;
    struct cache_key key;
    TRY(token_decode(encoded, &token));
    TRY(make_key(encoded, cert_sha256, keyset, &key));
    if (!is_known(cache, &key)) {
        TRY(token_verify(&token, encoded, keyset, cert_sha256, life_max_s));
        /* Without room it is verified again next time. */
        IGNORE(add(cache, &key));
    }
    return token_check(&token, keyset, perm, account, now_s);
}
