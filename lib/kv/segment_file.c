#include "lib/kv/segment_file.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    MAGIC = 0x54534731, /* "TSG1" */
    FLAG_PREVIOUS_CUT = 1,
    HEADER_ZEROS = 12,
};

static const uint8_t zeros[SEGMENT_BLOCK];

static void name_of(uint64_t number, const char *suffix, char name[SEGMENT_NAME_SIZE])
{
    snprintf(name, SEGMENT_NAME_SIZE, "%016" PRIx64 ".%s", number, suffix);
}

uint64_t segment_file_limit(const struct segment_file *file)
{
    return file->size - SEGMENT_FILE_HEADER;
}

static void encode_header(const struct segment_file *file, uint8_t to[SEGMENT_FILE_HEADER])
{
    memset(to, 0, SEGMENT_FILE_HEADER);
    encode_u32(to, MAGIC);
    encode_u32(to + 4, file->previous_cut ? FLAG_PREVIOUS_CUT : 0);
    encode_u64(to + 8, file->number);
    encode_u64(to + 16, file->salt);
    encode_u64(to + 24, file->size);
    encode_u64(to + 32, file->first_lsn);
    encode_u64(to + 40, file->previous_end);
    encode_u32(
        to + SEGMENT_FILE_HEADER - 4, digest_crc32c(0, bytes_of(to, SEGMENT_FILE_HEADER - 4)));
}

static bool decode_header(const uint8_t from[SEGMENT_FILE_HEADER], struct segment_file *file)
{
    struct reader reader = reader_of(bytes_of(from, SEGMENT_FILE_HEADER));
    uint32_t magic = reader_u32(&reader);
    uint32_t flags = reader_u32(&reader);
    uint64_t number = reader_u64(&reader);
    uint64_t salt = reader_u64(&reader);
    uint64_t size = reader_u64(&reader);
    uint64_t first_lsn = reader_u64(&reader);
    uint64_t previous_end = reader_u64(&reader);
    reader_zeros(&reader, HEADER_ZEROS);
    uint32_t sum = reader_u32(&reader);
    if (!reader_finish(&reader) || magic != MAGIC || number != file->number ||
        (flags & ~(uint32_t)FLAG_PREVIOUS_CUT) != 0 || size != file->size ||
        sum != digest_crc32c(0, bytes_of(from, SEGMENT_FILE_HEADER - 4))) {
        return false;
    }
    file->salt = salt;
    file->first_lsn = first_lsn;
    file->previous_end = previous_end;
    file->previous_cut = (flags & FLAG_PREVIOUS_CUT) != 0;
    return true;
}

/* Space first: a later write or sync must neither fail for want of it nor change metadata. */
static struct status write_new(const struct segment_file *file, bool prefill)
{
    int error = posix_fallocate(file->fd, 0, (off_t)file->size);
    if (error != 0) {
        return FAIL_ERRNO(error, "preallocate segment");
    }
    for (uint64_t at = 0; prefill && at < file->size; at += sizeof(zeros)) {
        size_t size = file->size - at < sizeof(zeros) ? (size_t)(file->size - at) : sizeof(zeros);
        TRY(file_write_at(file->fd, bytes_of(zeros, size), at));
    }
    uint8_t header[SEGMENT_FILE_HEADER];
    encode_header(file, header);
    TRY(file_write_at(file->fd, BYTES_ARRAY(header), 0));
    TRY(file_write_at(file->fd, BYTES_ARRAY(header), segment_file_limit(file)));
    if (fsync(file->fd) != 0) {
        return FAIL_ERRNO(errno, "sync new segment");
    }
    return OK;
}

struct status segment_file_create(int dir_fd, bool prefill, struct segment_file *file)
{
    CHECK(file->size >= 2 * SEGMENT_FILE_HEADER + SEGMENT_RECORD_HEADER);
    CHECK(file->size % SEGMENT_ALIGN == 0);
    char temporary[SEGMENT_NAME_SIZE];
    char name[SEGMENT_NAME_SIZE];
    name_of(file->number, "new", temporary);
    name_of(file->number, "seg", name);
    TRY(random_bytes(&file->salt, sizeof(file->salt)));
    struct segment_file made = *file;
    OWNED(fd)
    int fd = openat(dir_fd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "create segment");
    }
    made.fd = fd;
    struct status status = write_new(&made, prefill);
    if (status_ok(status) && renameat(dir_fd, temporary, dir_fd, name) != 0) {
        status = FAIL_ERRNO(errno, "name new segment");
    }
    if (!status_ok(status)) {
        unlinkat(dir_fd, temporary, 0);
        return status;
    }
    TRY(file_sync_dir(dir_fd));
    *file = made;
    fd = -1;
    return OK;
}

struct status segment_file_open(
    int dir_fd, uint64_t number, bool is_writable, struct segment_file *ret_file,
    bool *ret_is_damaged)
{
    char name[SEGMENT_NAME_SIZE];
    name_of(number, "seg", name);
    int flags = (is_writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW;
    OWNED(fd) int fd = openat(dir_fd, name, flags);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "open segment");
    }
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return FAIL_ERRNO(errno, "stat segment");
    }
    struct segment_file file = {.fd = fd, .number = number, .size = (uint64_t)info.st_size};
    if (file.size < 2 * SEGMENT_FILE_HEADER || file.size % SEGMENT_ALIGN != 0) {
        return FAIL(CORRUPT, "size of segment");
    }
    uint8_t header[SEGMENT_FILE_HEADER];
    TRY(file_read_at(fd, header, sizeof(header), 0));
    bool is_damaged = !decode_header(header, &file);
    if (is_damaged) {
        TRY(file_read_at(fd, header, sizeof(header), segment_file_limit(&file)));
        if (!decode_header(header, &file)) {
            return FAIL(CORRUPT, "header of segment");
        }
    }
    *ret_is_damaged = is_damaged;
    *ret_file = file;
    fd = -1;
    return OK;
}

void segment_file_release(struct segment_file *file)
{
    fd_release(&file->fd);
    file->fd = -1;
}

struct status segment_file_remove(int dir_fd, uint64_t number)
{
    char name[SEGMENT_NAME_SIZE];
    name_of(number, "seg", name);
    if (unlinkat(dir_fd, name, 0) != 0) {
        return FAIL_ERRNO(errno, "remove segment");
    }
    return file_sync_dir(dir_fd);
}

uint64_t segment_file_data(const struct segment_file *file, uint64_t from)
{
    off_t at = lseek(file->fd, (off_t)from, SEEK_DATA);
    if (at < 0) {
        return errno == ENXIO ? file->size : from;
    }
    return (uint64_t)at > from ? (uint64_t)at : from;
}

/* The next piece of [*at, to) that holds other than zeros, to block; 0 at the end. */
static struct status next_piece(
    const struct segment_file *file, uint64_t *at, uint64_t to, uint8_t block[SEGMENT_BLOCK],
    size_t *ret_size)
{
    while (*at < to) {
        *at = segment_file_data(file, *at);
        if (*at >= to) {
            break;
        }
        size_t size = to - *at < SEGMENT_BLOCK ? (size_t)(to - *at) : SEGMENT_BLOCK;
        TRY(file_read_at(file->fd, block, size, *at));
        if (memcmp(block, zeros, size) != 0) {
            *ret_size = size;
            return OK;
        }
        *at += size;
    }
    *ret_size = 0;
    return OK;
}

struct status segment_file_zero(const struct segment_file *file, uint64_t offset)
{
    uint8_t block[SEGMENT_BLOCK];
    for (uint64_t at = offset;;) {
        size_t size;
        TRY(next_piece(file, &at, segment_file_limit(file), block, &size));
        if (size == 0) {
            return OK;
        }
        TRY(file_write_at(file->fd, bytes_of(zeros, size), at));
        at += size;
    }
}

struct status segment_file_rewrite(const struct segment_file *file, uint64_t from, uint64_t to)
{
    uint8_t block[SEGMENT_BLOCK];
    for (uint64_t at = from; at < to;) {
        size_t size = to - at < sizeof(block) ? (size_t)(to - at) : sizeof(block);
        TRY(file_read_at(file->fd, block, size, at));
        TRY(file_write_at(file->fd, bytes_of(block, size), at));
        at += size;
    }
    return OK;
}

struct status
segment_file_is_zero(const struct segment_file *file, uint64_t from, uint64_t to, bool *ret_is_zero)
{
    uint8_t block[SEGMENT_BLOCK];
    size_t size;
    TRY(next_piece(file, &from, to, block, &size));
    *ret_is_zero = size == 0;
    return OK;
}
