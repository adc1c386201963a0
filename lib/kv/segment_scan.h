#pragma once

/* What a log's files say at open: which records count, what is damage, where appending goes on. */

#include "lib/kv/segment_file.h"

struct segment_scan {
    int dir_fd;
    uint64_t from_segment;
    uint64_t from_offset;
    segment_scan_fn *scan;
    void *context;
    uint64_t last_lsn; /* Result: the last LSN given out. */
    uint64_t damaged;  /* Result. */
};

/*
 * Read the log and make its end clean and durable. ret_file: the last segment, writable, and
 * ret_end where its records end; fd -1 if there is none.
 */
MUST_CHECK struct status
segment_scan_run(struct segment_scan *scan, struct segment_file *ret_file, uint64_t *ret_end);

/* Cut a segment that is not the last at end: what a failed sync left behind must not come back. */
MUST_CHECK struct status segment_scan_cut(int dir_fd, uint64_t number, uint64_t end);

/* Sorted numbers of the segments in a directory. *ret_numbers is the caller's to free. */
MUST_CHECK struct status segment_scan_list(int dir_fd, uint64_t **ret_numbers, size_t *ret_count);
