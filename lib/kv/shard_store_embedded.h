#pragma once

/*
 * A shard store in a directory of this host: segment files for the log, LMDB for nodes, epoch rows
 * and the root. One process at a time, held by flock. No failover: the directory is the shard.
 *
 *   <dir>/lock          flock
 *   <dir>/log/          segment_log.h; a position is an LSN
 *   <dir>/nodes/        shard_nodes.h
 */

#include "lib/kv/shard_store.h"

struct shard_store_embedded_options {
    uint64_t segment_size;  /* 0: 32 MiB. A log record must fit. */
    uint64_t space_reserve; /* FULL when a new segment would leave fewer bytes free. */
    uint64_t map_size;      /* 0: 64 GiB. The most that nodes may take. */
};

/* BUSY: another process has it. CORRUPT: the log has lost records before its end. */
MUST_CHECK struct status shard_store_embedded_open(
    const char *dir, const struct shard_store_embedded_options *options,
    struct shard_store **ret_store);
