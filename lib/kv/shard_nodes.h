#pragma once

/*
 * What the embedded store keeps in LMDB, default flags only: a lost sync would be a lost promise.
 * Values carry their own MACs or tags, for LMDB has no checksums.
 *
 *   'E' fence u32 -> epoch row      'N' id u64 -> sealed node      'R' -> trim u64 | root
 *
 * One thread writes; reading is for any thread.
 */

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

struct shard_nodes;

/* path is an existing directory. */
MUST_CHECK struct status
shard_nodes_open(const char *path, uint64_t map_size, struct shard_nodes **ret_nodes);
void shard_nodes_free(struct shard_nodes *nodes);

/* Each durable on return. STALE unless fence is above all earlier. */
MUST_CHECK struct status
shard_nodes_fence(struct shard_nodes *nodes, uint32_t fence, struct bytes row);
MUST_CHECK struct status
shard_nodes_epoch_get(struct shard_nodes *nodes, uint32_t fence, struct buffer *row);
MUST_CHECK struct status shard_nodes_epoch_last(struct shard_nodes *nodes, uint32_t *ret_fence);
MUST_CHECK struct status shard_nodes_put(
    struct shard_nodes *nodes, const uint64_t *ids, const struct bytes *values, size_t count);
MUST_CHECK struct status
shard_nodes_get(struct shard_nodes *nodes, uint64_t id, struct buffer *node);
MUST_CHECK struct status
shard_nodes_remove(struct shard_nodes *nodes, const uint64_t *ids, size_t count);
/* Remove all with ids from first on. */
MUST_CHECK struct status shard_nodes_trim(struct shard_nodes *nodes, uint64_t first);
MUST_CHECK struct status
shard_nodes_root_set(struct shard_nodes *nodes, struct bytes root, uint64_t trim);
/* NOT_FOUND before the first; ret_trim may be wanted alone (root NULL). */
MUST_CHECK struct status
shard_nodes_root_get(struct shard_nodes *nodes, struct buffer *root, uint64_t *ret_trim);

/* The flags that LMDB runs with. */
MUST_CHECK struct status shard_nodes_flags(struct shard_nodes *nodes, unsigned *ret_flags);

DEFINE_OWNED(shard_nodes)
