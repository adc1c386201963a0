#include "lib/base/file.h"

#include "lib/base/check.h"
#include "lib/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NAME_MAX = 255 };

struct status file_write_at(int fd, struct bytes bytes, uint64_t offset)
{
    size_t written = 0;
    while (written < bytes.size) {
        ssize_t n =
            pwrite(fd, bytes.data + written, bytes.size - written, (off_t)(offset + written));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return FAIL_ERRNO(n < 0 ? errno : EIO, "write file");
        }
        written += (size_t)n;
    }
    return OK;
}

struct status file_read_at(int fd, void *to, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, (uint8_t *)to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return FAIL_ERRNO(errno, "read file");
        }
        if (n == 0) {
            return FAIL(CORRUPT, "file ends early");
        }
        done += (size_t)n;
    }
    return OK;
}

struct status file_read(int dir_fd, const char *path, struct buffer *buffer)
{
    OWNED(fd) int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "open file");
    }
    for (;;) {
        uint8_t step[4096];
        ssize_t n = read(fd, step, sizeof(step));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return FAIL_ERRNO(errno, "read file");
        }
        if (n == 0) {
            return buffer_status(buffer);
        }
        buffer_add(buffer, bytes_of(step, (size_t)n));
        explicit_bzero(step, sizeof(step)); /* It may have been a key file. */
        TRY(buffer_status(buffer));
    }
}

struct status file_sync_dir(int dir_fd)
{
    if (fsync(dir_fd) != 0) {
        return FAIL_ERRNO(errno, "sync directory");
    }
    return OK;
}

struct status file_replace(int dir_fd, const char *name, struct bytes bytes, int mode)
{
    char temporary[FILE_NAME_MAX + sizeof(".new")];
    CHECK(strlen(name) <= FILE_NAME_MAX && strchr(name, '/') == NULL);
    snprintf(temporary, sizeof(temporary), "%s.new", name);
    /* A leftover of a crash may have another mode. */
    if (unlinkat(dir_fd, temporary, 0) != 0 && errno != ENOENT) {
        return FAIL_ERRNO(errno, "remove old temporary file");
    }
    OWNED(fd)
    int fd = openat(
        dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "create temporary file");
    }
    TRY(file_write_at(fd, bytes, 0));
    if (fsync(fd) != 0) {
        return FAIL_ERRNO(errno, "sync new file");
    }
    if (renameat(dir_fd, temporary, dir_fd, name) != 0) {
        return FAIL_ERRNO(errno, "rename new file");
    }
    return file_sync_dir(dir_fd);
}

static struct status sync_parent(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL) {
        return FAIL(NO_MEMORY, "path");
    }
    OWNED(fd) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    free(copy);
    if (fd < 0) {
        return FAIL_ERRNO(error, "open parent directory");
    }
    return file_sync_dir(fd);
}

struct status file_open_dir(const char *path, bool create, int *ret_fd)
{
    if (create) {
        if (mkdir(path, 0700) == 0) {
            TRY(sync_parent(path));
        } else if (errno != EEXIST) {
            return FAIL_ERRNO(errno, "create directory");
        }
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "open directory");
    }
    *ret_fd = fd;
    return OK;
}

struct status file_lock(int dir_fd, const char *name, int *ret_fd)
{
    OWNED(fd) int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "open lock file");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return FAIL(BUSY, "another process holds the lock");
        }
        return FAIL_ERRNO(errno, "lock file");
    }
    *ret_fd = fd;
    fd = -1;
    return OK;
}
