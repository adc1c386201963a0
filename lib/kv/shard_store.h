#pragma once

/*
 * What a storage engine does for a kv: it sees sealed bytes only.
 *
 * shard_store_memory (tests; its crash() drops a seeded subset of what was not synced) and
 * shard_store_embedded (segment files for the log, LMDB for nodes) implement it. One thread calls
 * at a time, except log_read and node_get.
 */

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

struct shard_store;

/* Where the log continues: opaque to kv except that positions rise. */
typedef uint64_t shard_position;

struct shard_store_methods {
    /* Keep the epoch row of a new fence, durable on return; older rows stay. STALE unless fence is
     * above every earlier one. */
    struct status (*fence)(struct shard_store *store, uint32_t fence, struct bytes epoch_row);
    /* NOT_FOUND if there is none. */
    struct status (*epoch_get)(struct shard_store *store, uint32_t fence, struct buffer *row);
    /* The highest fence; NOT_FOUND for an empty store. */
    struct status (*epoch_last)(struct shard_store *store, uint32_t *ret_fence);
    /* Append one sealed record, durable on return: the commit point. After a failure the store
     * takes no more; the process must reopen it. FULL is the exception: nothing was written. */
    struct status (*log_append)(struct shard_store *store, struct bytes record);
    /* The record at *position (0: the first kept), moving it on; NOT_FOUND at the end. A torn tail
     * is the end; *ret_torn says that bytes lie behind it. CORRUPT: a bad record before a good one.
     */
    struct status (*log_read)(
        struct shard_store *store, shard_position *position, struct buffer *record, bool *ret_torn);
    /* Cut a torn tail, after log_read said so, so that appending goes on behind the last record. */
    struct status (*log_cut)(struct shard_store *store, shard_position end);
    /* Nodes of checkpoints, by id. Durable on return, idempotent, not atomic. */
    struct status (*nodes_put)(
        struct shard_store *store, const uint64_t *ids, const struct bytes *nodes, size_t count);
    struct status (*node_get)(struct shard_store *store, uint64_t id, struct buffer *node);
    /* Make root the checkpoint, atomically and durably; log records below trim and dead nodes may
     * go. */
    struct status (*root_set)(
        struct shard_store *store, struct bytes root, shard_position trim, const uint64_t *dead,
        size_t dead_count);
    struct status (*root_get)(struct shard_store *store, struct buffer *root);
    /* Delete nodes with ids from first on: orphans of a checkpoint that never got its root. */
    struct status (*nodes_trim)(struct shard_store *store, uint64_t first);
    void (*free)(struct shard_store *store);
};

/* The first member of each engine's struct. */
struct shard_store {
    const struct shard_store_methods *methods;
};

static inline void shard_store_free(struct shard_store *store)
{
    if (store != NULL) {
        store->methods->free(store);
    }
}

DEFINE_OWNED(shard_store)
