#include "blobnode/blob_keyring.h"

#include "lib/base/file.h"
#include "lib/base/map.h"

#include <stdlib.h>

enum { TOKENS_CACHED = 8192 };
static const char FILE_NAME[] = "keyset";

struct entry {
    int dir_fd;            /* Outlives us. */
    struct keyset *keyset; /* Owned; NULL: none yet. */
};

struct blob_keyring {
    struct blob_keyring_root root;
    uint64_t token_life_max_s;
    struct token_cache *cache;  /* Owned. */
    pthread_mutex_t push_mutex; /* One push at a time; taken before lock. */
    pthread_rwlock_t lock;      /* Guards entries; written for no I/O. */
    struct map *entries;        /* Owned: account16 -> struct entry. */
};

static void unlock(pthread_rwlock_t **lock)
{
    pthread_rwlock_unlock(*lock);
}

#define READING(ring)                                                                              \
    __attribute__((cleanup(unlock), unused)) pthread_rwlock_t *reading_ = &(ring)->lock;           \
    pthread_rwlock_rdlock(reading_)
#define WRITING(ring)                                                                              \
    __attribute__((cleanup(unlock), unused)) pthread_rwlock_t *writing_ = &(ring)->lock;           \
    pthread_rwlock_wrlock(writing_)

struct status blob_keyring_new(
    const struct blob_keyring_root *root, uint64_t token_life_max_s, struct blob_keyring **ret_ring)
{
    OWNED(blob_keyring) struct blob_keyring *ring = calloc(1, sizeof(*ring));
    if (ring == NULL) {
        return FAIL(NO_MEMORY, "key ring");
    }
    ring->root = *root;
    ring->token_life_max_s = token_life_max_s;
    pthread_mutex_init(&ring->push_mutex, NULL);
    pthread_rwlock_init(&ring->lock, NULL);
    TRY(token_cache_new(TOKENS_CACHED, &ring->cache));
    TRY(map_new(ID16_SIZE, &ring->entries));
    *ret_ring = TAKE(ring);
    return OK;
}

void blob_keyring_free(struct blob_keyring *ring)
{
    if (ring == NULL) {
        return;
    }
    size_t cursor = 0;
    const void *key = NULL;
    void *value = NULL;
    while (ring->entries != NULL && map_next(ring->entries, &cursor, &key, &value)) {
        struct entry *entry = value;
        keyset_free(entry->keyset);
        free(entry);
    }
    map_free(ring->entries);
    token_cache_free(ring->cache);
    pthread_rwlock_destroy(&ring->lock);
    pthread_mutex_destroy(&ring->push_mutex);
    free(ring);
}

static struct status open_keyset(
    const struct blob_keyring *ring, const struct id16 *account, struct bytes encoded,
    uint64_t now_s, struct keyset **ret_keyset)
{
    struct bytes spki = bytes_of(ring->root.spki, ring->root.spki_size);
    return keyset_open(encoded, ring->root.alg, spki, account, now_s, ret_keyset);
}

struct status blob_keyring_verify(
    const struct blob_keyring *ring, const struct id16 *account, struct bytes keyset,
    uint64_t now_s)
{
    OWNED(keyset) struct keyset *opened = NULL;
    return open_keyset(ring, account, keyset, now_s, &opened);
}

static struct status load(
    const struct blob_keyring *ring, const struct id16 *account, int dir_fd, uint64_t now_s,
    struct keyset **ret_keyset)
{
    BUFFER(text, KEYSET_SIZE_MAX);
    TRY(file_read(dir_fd, FILE_NAME, &text));
    return open_keyset(ring, account, buffer_bytes(&text), now_s, ret_keyset);
}

struct status
blob_keyring_add(struct blob_keyring *ring, const struct id16 *account, int dir_fd, uint64_t now_s)
{
    OWNED(keyset) struct keyset *keyset = NULL;
    struct status loaded = load(ring, account, dir_fd, now_s, &keyset);
    struct entry *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return FAIL(NO_MEMORY, "account in key ring");
    }
    entry->dir_fd = dir_fd;
    entry->keyset = TAKE(keyset);
    struct status status;
    {
        WRITING(ring);
        status = map_get(ring->entries, account) != NULL
                     ? FAIL(EXISTS, "account in key ring")
                     : map_put(ring->entries, account, entry, NULL);
    }
    if (!status_ok(status)) {
        keyset_free(entry->keyset);
        free(entry);
        return status;
    }
    return loaded;
}

static uint64_t version_of(const struct keyset *keyset)
{
    return keyset == NULL ? 0 : keyset_content(keyset)->version;
}

/* Entries are never removed, and only a push, which holds push_mutex, changes a keyset. */
static struct entry *find(struct blob_keyring *ring, const struct id16 *account)
{
    READING(ring);
    return map_get(ring->entries, account);
}

struct status blob_keyring_push(
    struct blob_keyring *ring, const struct id16 *account, struct bytes keyset, uint64_t now_s,
    uint64_t *ret_version)
{
    LOCKED(&ring->push_mutex);
    struct entry *entry = find(ring, account);
    if (entry == NULL) {
        return FAIL(NOT_FOUND, "account of keyset");
    }
    OWNED(keyset) struct keyset *newer = NULL;
    TRY(open_keyset(ring, account, keyset, now_s, &newer));
    if (version_of(newer) > version_of(entry->keyset)) {
        TRY(file_replace(entry->dir_fd, FILE_NAME, keyset, 0600));
        WRITING(ring);
        struct keyset *older = entry->keyset;
        entry->keyset = newer;
        newer = older;
    }
    *ret_version = version_of(entry->keyset);
    return OK;
}

struct status blob_keyring_admit(
    struct blob_keyring *ring, const struct id16 *account, enum token_perm perm, struct bytes token,
    const uint8_t cert_sha256[32], uint64_t now_s, uint64_t *ret_version)
{
    READING(ring);
    const struct entry *entry = map_get(ring->entries, account);
    if (entry == NULL) {
        return FAIL(NOT_FOUND, "account");
    }
    if (entry->keyset == NULL || now_s >= keyset_content(entry->keyset)->valid_until) {
        return FAIL(UNAVAILABLE, "keyset is missing or stale");
    }
    TRY(token_cache_admit(
        ring->cache, token, entry->keyset, cert_sha256, perm, account, now_s,
        ring->token_life_max_s));
    *ret_version = version_of(entry->keyset);
    return OK;
}

void blob_keyring_version(
    struct blob_keyring *ring, const struct id16 *account, uint64_t *ret_version,
    uint64_t *ret_valid_until)
{
    READING(ring);
    const struct entry *entry = map_get(ring->entries, account);
    const struct keyset *keyset = entry == NULL ? NULL : entry->keyset;
    *ret_version = version_of(keyset);
    *ret_valid_until = keyset == NULL ? 0 : keyset_content(keyset)->valid_until;
}
