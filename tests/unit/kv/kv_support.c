#include "tests/unit/kv/kv_support.h"

#include "lib/base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512 };

uint64_t kv_support_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * 0x2545f4914f6cdd1dU >> 11;
}

int kv_support_dir_new(char path[KV_SUPPORT_PATH])
{
    const char *parent = getenv("TEST_TMPDIR");
    snprintf(path, KV_SUPPORT_PATH, "%s/kvXXXXXX", parent != NULL ? parent : "/tmp");
    CHECK(mkdtemp(path) != NULL);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void empty(const char *path)
{
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') {
            CHECK(unlinkat(dirfd(dir), entry->d_name, 0) == 0);
        }
    }
    closedir(dir);
}

void kv_support_dir_free(int fd, const char *path)
{
    if (fd >= 0) {
        close(fd);
    }
    empty(path);
    CHECK(rmdir(path) == 0);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

void kv_support_tree_free(const char *path)
{
    CHECK(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* The whole file, or nothing where there is none; the caller frees. */
static uint8_t *read_whole(const char *dir, const char *name, size_t *ret_size)
{
    char path[2 * KV_SUPPORT_PATH];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    *ret_size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    struct stat info;
    CHECK(fstat(fd, &info) == 0);
    uint8_t *data = malloc((size_t)info.st_size + 1);
    CHECK(data != NULL && read(fd, data, (size_t)info.st_size) == info.st_size);
    close(fd);
    *ret_size = (size_t)info.st_size;
    return data;
}

static void write_whole(const char *dir, const char *name, const uint8_t *data, size_t size)
{
    char path[2 * KV_SUPPORT_PATH];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

void kv_support_tear(const char *synced, const char *now, const char *to, uint64_t *seed)
{
    empty(to);
    DIR *dir = opendir(now);
    CHECK(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        size_t size;
        size_t old_size;
        uint8_t *data = read_whole(now, entry->d_name, &size);
        uint8_t *old = read_whole(synced, entry->d_name, &old_size);
        for (size_t at = 0; at + SECTOR <= size && at + SECTOR <= old_size; at += SECTOR) {
            if (kv_support_next(seed) % 2 == 0) {
                memcpy(data + at, old + at, SECTOR);
            }
        }
        write_whole(to, entry->d_name, data, size);
        free(data);
        free(old);
    }
    closedir(dir);
}

void kv_support_copy(const char *from, const char *to)
{
    empty(to);
    DIR *dir = opendir(from);
    CHECK(dir != NULL);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.') {
            size_t size;
            uint8_t *data = read_whole(from, entry->d_name, &size);
            write_whole(to, entry->d_name, data, size);
            free(data);
        }
    }
    closedir(dir);
}

void kv_support_flip(const char *dir, const char *name, uint64_t offset, unsigned bit)
{
    char path[2 * KV_SUPPORT_PATH];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    CHECK(fd >= 0 && pread(fd, &byte, 1, (off_t)offset) == 1);
    byte = (uint8_t)(byte ^ (1U << bit));
    CHECK(pwrite(fd, &byte, 1, (off_t)offset) == 1);
    close(fd);
}
