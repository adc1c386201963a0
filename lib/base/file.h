#pragma once

/* Whole reads and writes, and files that survive a crash. EINTR is handled here. */

#include "lib/base/buffer.h"
#include "lib/base/status.h"

/* Write everything at offset; short writes are continued. */
MUST_CHECK struct status file_write_at(int fd, struct bytes bytes, uint64_t offset);

/* Read exactly size bytes at offset; the end of the file is CORRUPT. */
MUST_CHECK struct status file_read_at(int fd, void *to, size_t size, uint64_t offset);

/* Append a whole file to buffer; larger than the buffer's limit is TOO_LARGE. dir_fd as openat. */
MUST_CHECK struct status file_read(int dir_fd, const char *path, struct buffer *buffer);

/*
 * Replace or create a file so that after a crash the old or the new content is there, whole:
 * temporary file, fsync, rename, fsync of the directory.
 */
MUST_CHECK struct status file_replace(int dir_fd, const char *name, struct bytes bytes, int mode);

/* fsync a directory, so that names made or removed in it survive a crash. */
MUST_CHECK struct status file_sync_dir(int dir_fd);

/* Open a directory; with create, make it (mode 0700) and sync its parent. */
MUST_CHECK struct status file_open_dir(const char *path, bool create, int *ret_fd);

/* Lock a file for this process (flock); BUSY if another holds it. Close the fd to release. */
MUST_CHECK struct status file_lock(int dir_fd, const char *name, int *ret_fd);
