#include "lib/base/map.h"

#include "lib/base/check.h"

#include <stdlib.h>
#include <sys/random.h>

/* Open addressing with linear probing; deleted slots keep a mark until the next resize. */
struct map {
    size_t key_size;
    size_t capacity; /* A power of two, or 0. */
    size_t count;    /* Live entries. */
    size_t filled;   /* Live entries and marks. */
    uint64_t seed;
    void **values; /* Owned; NULL: free, &removed_mark: removed. */
    uint8_t *keys; /* Owned. */
};

enum { MAP_FIRST = 16 };
static char removed_mark;

struct status map_new(size_t key_size, struct map **ret_map)
{
    CHECK(key_size > 0);
    struct map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return FAIL(NO_MEMORY, "map");
    }
    map->key_size = key_size;
    if (getrandom(&map->seed, sizeof(map->seed), 0) != (ssize_t)sizeof(map->seed)) {
        free(map);
        return FAIL(IO, "seed map");
    }
    *ret_map = map;
    return OK;
}

void map_free(struct map *map)
{
    if (map != NULL) {
        free(map->values);
        free(map->keys);
        free(map);
    }
}

size_t map_count(const struct map *map)
{
    return map->count;
}

static uint64_t mix(uint64_t value)
{
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93U;
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93U;
    value ^= value >> 32;
    return value;
}

static uint64_t hash_of(const struct map *map, const uint8_t *key)
{
    uint64_t hash = map->seed;
    size_t at = 0;
    for (; at + 8 <= map->key_size; at += 8) {
        uint64_t word;
        memcpy(&word, key + at, 8);
        hash = mix(hash ^ word);
    }
    for (; at < map->key_size; at++) {
        hash = mix(hash ^ key[at]);
    }
    return hash;
}

/* The slot that holds key, or capacity. */
static size_t find(const struct map *map, const uint8_t *key)
{
    if (map->capacity == 0) {
        return 0;
    }
    size_t mask = map->capacity - 1;
    for (size_t slot = hash_of(map, key) & mask;; slot = (slot + 1) & mask) {
        if (map->values[slot] == NULL) {
            return map->capacity;
        }
        if (map->values[slot] != &removed_mark &&
            memcmp(map->keys + slot * map->key_size, key, map->key_size) == 0) {
            return slot;
        }
    }
}

void *map_get(const struct map *map, const void *key)
{
    size_t slot = find(map, key);
    return slot == map->capacity ? NULL : map->values[slot];
}

static void insert_new(struct map *map, const uint8_t *key, void *value)
{
    size_t mask = map->capacity - 1;
    size_t slot = hash_of(map, key) & mask;
    while (map->values[slot] != NULL) {
        slot = (slot + 1) & mask;
    }
    memcpy(map->keys + slot * map->key_size, key, map->key_size);
    map->values[slot] = value;
    map->count++;
    map->filled++;
}

static struct status resize(struct map *map)
{
    struct map next = *map;
    next.capacity = map->capacity == 0 ? MAP_FIRST : map->capacity;
    while (next.capacity < map->count * 4) {
        next.capacity *= 2;
    }
    next.count = 0;
    next.filled = 0;
    next.values = calloc(next.capacity, sizeof(*next.values));
    next.keys = calloc(next.capacity, map->key_size);
    if (next.values == NULL || next.keys == NULL) {
        free(next.values);
        free(next.keys);
        return FAIL(NO_MEMORY, "grow map");
    }
    for (size_t slot = 0; slot < map->capacity; slot++) {
        if (map->values[slot] != NULL && map->values[slot] != &removed_mark) {
            insert_new(&next, map->keys + slot * map->key_size, map->values[slot]);
        }
    }
    free(map->values);
    free(map->keys);
    *map = next;
    return OK;
}

struct status map_put(struct map *map, const void *key, void *value, void **ret_old)
{
    CHECK(value != NULL);
    size_t slot = find(map, key);
    void *old = NULL;
    if (slot != map->capacity) {
        old = map->values[slot];
        map->values[slot] = value;
    } else {
        if (map->filled + 1 > map->capacity / 2) {
            TRY(resize(map));
        }
        insert_new(map, key, value);
    }
    if (ret_old != NULL) {
        *ret_old = old;
    }
    return OK;
}

void *map_remove(struct map *map, const void *key)
{
    size_t slot = find(map, key);
    if (slot == map->capacity) {
        return NULL;
    }
    void *value = map->values[slot];
    map->values[slot] = &removed_mark;
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *cursor, const void **ret_key, void **ret_value)
{
    for (; *cursor < map->capacity; (*cursor)++) {
        void *value = map->values[*cursor];
        if (value != NULL && value != &removed_mark) {
            *ret_key = map->keys + *cursor * map->key_size;
            *ret_value = value;
            (*cursor)++;
            return true;
        }
    }
    return false;
}
