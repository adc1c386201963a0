#pragma once

/*
 * One segment file: its header, its preallocated space, and how a record's bytes lie in it.
 * The format is drawn in segment_log.c. A segment_file is a value; one owner closes it.
 */

#include "lib/base/bytes.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"
#include "lib/kv/segment_log.h"

enum {
    SEGMENT_FILE_HEADER = 64,
    SEGMENT_RECORD_HEADER = 48,
    SEGMENT_BLOCK = 64 * 1024,
    SEGMENT_ALIGN = 16,
    SEGMENT_BLOCKS_MAX = (SEGMENT_RECORD_MAX + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK,
    SEGMENT_NAME_SIZE = sizeof("0123456789abcdef.seg"),
};

struct segment_file {
    int fd; /* Owned; -1: none. */
    uint64_t number;
    uint64_t salt;         /* Random: no bytes from outside can look like a record here. */
    uint64_t size;         /* Of the file. */
    uint64_t first_lsn;    /* No record in this or a later segment has a lower one. */
    uint64_t previous_end; /* Where the records of segment number - 1 end. */
    bool previous_cut;     /* That segment holds bytes behind its end which never count. */
};

/* Create segment file->number durably, in full size; fd and salt are set. FULL and IO leave none.
 */
MUST_CHECK struct status segment_file_create(int dir_fd, bool prefill, struct segment_file *file);

/* Open segment number for reading, or writing too. CORRUPT: both copies of its header are bad. */
MUST_CHECK struct status segment_file_open(
    int dir_fd, uint64_t number, bool is_writable, struct segment_file *ret_file,
    bool *ret_is_damaged);
void segment_file_release(struct segment_file *file);

MUST_CHECK struct status segment_file_remove(int dir_fd, uint64_t number);

/* The first offset that records cannot use. */
uint64_t segment_file_limit(const struct segment_file *file);

/* Make everything from offset to the limit zeros (not synced). */
MUST_CHECK struct status segment_file_zero(const struct segment_file *file, uint64_t offset);

/* Read and write [from, to) again, so that the next sync covers it whatever the page cache says. */
MUST_CHECK struct status
segment_file_rewrite(const struct segment_file *file, uint64_t from, uint64_t to);

/* True if [from, to) holds zeros only. */
MUST_CHECK struct status segment_file_is_zero(
    const struct segment_file *file, uint64_t from, uint64_t to, bool *ret_is_zero);

/* The first offset >= from that may hold data: skips what was never written. */
uint64_t segment_file_data(const struct segment_file *file, uint64_t from);
