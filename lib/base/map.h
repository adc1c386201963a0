#pragma once

/*
 * A hash map from keys of one fixed length to pointers.
 *
 * Keys are copied in. Values are the caller's: the map never frees them. Keys that a peer
 * chooses are safe: the hash is seeded at random. One thread at a time.
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

struct map;

MUST_CHECK struct status map_new(size_t key_size, struct map **ret_map);
void map_free(struct map *map);

size_t map_count(const struct map *map);

/* The value under key, or NULL. */
void *map_get(const struct map *map, const void *key);

/* Add or replace; value is not NULL. ret_old (may be NULL) gets the value replaced, or NULL. */
MUST_CHECK struct status map_put(struct map *map, const void *key, void *value, void **ret_old);

/* Take the value out; NULL if there was none. */
void *map_remove(struct map *map, const void *key);

/*
 * Walk in no order: *cursor starts at 0; false at the end. The entry just returned may be
 * removed during the walk, nothing may be added.
 */
bool map_next(const struct map *map, size_t *cursor, const void **ret_key, void **ret_value);

#include "lib/base/cleanup.h"
DEFINE_OWNED(map)
