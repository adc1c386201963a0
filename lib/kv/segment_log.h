#pragma once

/*
 * An append-only log of segment files with group commit: the blob node's accounts and the embedded
 * shard store's commit log are both made of it.
 *
 * Record header (48 bytes, drawn in segment_log.c and FORMATS.md): magic, id16, length, flags,
 * LSN, CRC32C of header; then a CRC32C for each 64 KiB of payload, and the payload. Segments
 * "%016x.seg" are preallocated, so that a sync writes no file-system metadata. Only the tail of
 * the last segment may be cut after a crash; damage elsewhere is CORRUPT and reported, and the
 * records behind it are still found. A failed sync seals the segment: nothing in it since the last
 * good sync counts as stored.
 */

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

enum { SEGMENT_RECORD_MAX = 64 * 1024 * 1024 + 128 * 1024 };

struct segment_log;

struct segment_log_options {
    uint64_t segment_size;  /* Preallocated bytes of a segment. */
    uint64_t space_reserve; /* FULL when a new segment would leave fewer bytes free. */
    /* Write zeros when a segment is made, so that syncs do not even convert extents: for small
     * segments with many small syncs. */
    bool prefill;
    /* After a failed sync no record is taken any more. For logs whose records build on the ones
     * before: what builds on a lost one must not survive it. */
    bool ends_on_failed_sync;
};

struct segment_record {
    uint8_t id[16];
    uint32_t flags; /* The user's: blob, tombstone, ... */
    uint64_t lsn;   /* From 1, rising by one; by more only over a failed sync. */
    uint64_t segment;
    uint64_t offset; /* Of the header. */
    uint32_t size;   /* Of the payload. */
};

/* Called for each record in order at open, from (segment, offset) on. */
typedef struct status
segment_scan_fn(void *context, const struct segment_record *record, struct bytes payload);

/*
 * Open the log in dir_fd (which stays the caller's), creating it if empty. Every record from
 * from_segment/from_offset on (0, 0: all) is given to scan. ret_damaged (may be NULL) counts bad
 * records that were skipped outside the tail. A write or a sync that fails here fails the open.
 */
MUST_CHECK struct status segment_log_open(
    int dir_fd, const struct segment_log_options *options, uint64_t from_segment,
    uint64_t from_offset, segment_scan_fn *scan, void *context, uint64_t *ret_damaged,
    struct segment_log **ret_log);
void segment_log_free(struct segment_log *log);

/* Append count parts joined as one record; not yet durable. Any thread. ret_record is filled. */
MUST_CHECK struct status segment_log_append(
    struct segment_log *log, const uint8_t id[16], uint32_t flags, const struct bytes *parts,
    size_t count, struct segment_record *ret_record);

/*
 * Wait until the record lsn and all before are durable: one thread syncs for all that wait.
 * IO: the sync failed and the record does not count as stored.
 */
MUST_CHECK struct status segment_log_sync(struct segment_log *log, uint64_t lsn);

/* Last LSN appended, and last LSN known durable. */
uint64_t segment_log_last(struct segment_log *log);
uint64_t segment_log_durable(struct segment_log *log);

/* Read payload bytes [offset, offset + size) of a record, checking the CRCs that cover them and,
 * at offset 0, the header. CORRUPT on damage. Any thread. */
MUST_CHECK struct status segment_log_read(
    struct segment_log *log, const struct segment_record *record, uint32_t offset, void *to,
    size_t size);

/*
 * Remove a segment whose records are all moved or dead. BUSY for the active one; NOT_FOUND if it
 * is gone. Durable on return.
 */
MUST_CHECK struct status segment_log_remove(struct segment_log *log, uint64_t segment);

/* The segment that appends go to; 0 before the first. */
uint64_t segment_log_active(struct segment_log *log);

/* Number of fdatasync calls so far, for metrics. */
uint64_t segment_log_syncs(struct segment_log *log);

DEFINE_OWNED(segment_log)
