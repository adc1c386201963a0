#pragma once

/*
 * A shard store in memory, for tests: what a crash leaves of it is decided by a seed.
 *
 * Each call is durable on return, so that a crash can only touch the append that it met:
 * shard_store_memory_fail makes one fail, and shard_store_memory_crash decides whether its record
 * is absent, torn or present. One thread at a time.
 */

#include "lib/kv/shard_store.h"

MUST_CHECK struct status shard_store_memory_new(struct shard_store **ret_store);

/* Let `after` appends succeed and the next one fail with IO; nothing works until a crash. */
void shard_store_memory_fail(struct shard_store *store, unsigned after);
/* Appends answer FULL as long as that is set. */
void shard_store_memory_fill(struct shard_store *store, bool is_full);
/* Lose the process: the store can be opened again. */
void shard_store_memory_crash(struct shard_store *store, uint64_t seed);

/* What an attacker does. Records are counted from 0. */
size_t shard_store_memory_count(const struct shard_store *store);
void shard_store_memory_flip(struct shard_store *store, size_t record, size_t byte);
void shard_store_memory_drop(struct shard_store *store, size_t record);
/* Put a copy of a record of another store in the place of record. */
MUST_CHECK struct status shard_store_memory_swap(
    struct shard_store *store, size_t record, const struct shard_store *other, size_t from);
