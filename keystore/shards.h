#pragma once

/*
 * Shards of the content DB: who has each open, at which fence, and how far its log had come (the
 * anchor). The rows are durable before an answer; when each was last anchored is in memory only,
 * and a restarted key store takes every shard as anchored at its start. Any thread.
 */

#include "keystore/key_hierarchy.h"
#include "keystore/key_shard.h"

enum { SHARD_BUSY_MS = 3000 };

struct shards;

MUST_CHECK struct status
shards_new(struct vault *vault, struct key_hierarchy *hierarchy, struct shards **ret_shards);
void shards_free(struct shards *shards);

/* Make the shard known and draw its recovery code, text in a secret; NULL if it was known. */
MUST_CHECK struct status
shards_create(struct shards *shards, uint32_t shard, struct secret **ret_recovery_code);

/*
 * Open for an instance: fence + 1, the DEKs (those given, or the first one), the last anchor.
 * NOT_FOUND: not created. BUSY: another instance anchored within 3 s. CORRUPT: not this shard's
 * database or keys. grants of the result stays NULL.
 */
MUST_CHECK struct status shards_open(
    struct shards *shards, uint32_t shard, const struct id16 *db_uuid,
    const struct key_shard_wrapped *deks, size_t deks_count, const struct id16 *instance,
    struct key_shard **ret_opened);

/* Compare-and-set. STALE: the shard is another instance's, or the log would go back. */
MUST_CHECK struct status shards_anchor(
    struct shards *shards, uint32_t shard, const struct id16 *instance,
    const struct key_shard_anchor *anchor);

typedef struct status
shard_fn(void *context, uint32_t shard, const struct shard_row *row, int64_t anchored_ms_ago);
MUST_CHECK struct status shards_each(struct shards *shards, shard_fn *each, void *context);

DEFINE_OWNED(shards)
