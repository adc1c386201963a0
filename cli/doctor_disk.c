#include "cli/doctor_disk.h"

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    SYNCS = 100,
    SYNCS_LEAST = 10,
    SYNCS_MAX_MS = 3000, /* A slow disk is known to be slow after that. */
    BLOCK = 4096,
    SLOW_US = 20 * 1000,
    UNBELIEVABLE_US = 5,
    INODES_LEAST = 1000,
};

static const uint64_t reserve_fallback = 64 * 1024 * 1024; /* Of who has no space_reserve. */

/* Not all are in linux/magic.h. */
static const struct {
    unsigned long type;
    const char *name;
} doubtful[] = {
    {TMPFS_MAGIC, "tmpfs, which is memory: all is gone at the next boot"},
    {RAMFS_MAGIC, "ramfs, which is memory: all is gone at the next boot"},
    {OVERLAYFS_SUPER_MAGIC, "an overlay, as of a container: all is gone with the container"},
    {NFS_SUPER_MAGIC, "NFS: its syncs and locks are another host's"},
    {SMB_SUPER_MAGIC, "SMB: its syncs and locks are another host's"},
    {0xff534d42ul, "CIFS: its syncs and locks are another host's"},
    {0xfe534d42ul, "SMB2: its syncs and locks are another host's"},
    {0x00c36400ul, "Ceph: its syncs and locks are another host's"},
    {V9FS_MAGIC, "9p: its syncs and locks are another host's"},
    {AFS_SUPER_MAGIC, "AFS: its syncs and locks are another host's"},
    {0x65735546ul, "FUSE: ask who serves it whether fdatasync reaches a disk"},
};

const char *doctor_disk_doubt(unsigned long type)
{
    for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++) {
        if (doubtful[i].type == type) {
            return doubtful[i].name;
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

int64_t doctor_disk_quantile(int64_t *values, size_t count, unsigned per_mille)
{
    qsort(values, count, sizeof(*values), compare);
    size_t index = count * per_mille / 1000;
    return values[index < count ? index : count - 1];
}

enum doctor_state doctor_disk_judge_sync(int64_t median_us, int64_t p99_us, const char **ret_advice)
{
    *ret_advice = NULL;
    if (median_us < UNBELIEVABLE_US) {
        *ret_advice = "find out who swallows fdatasync (libeatmydata, a mount option): an "
                      "acknowledged object would not survive a power cut";
        return DOCTOR_WARN;
    }
    if (p99_us > SLOW_US) {
        *ret_advice = "every PUT waits for this: take a faster disk, or one with power-loss "
                      "protection, or see who else uses it";
        return DOCTOR_WARN;
    }
    return DOCTOR_OK;
}

enum doctor_state doctor_disk_judge_space(uint64_t free_bytes, uint64_t reserve_bytes)
{
    if (free_bytes <= reserve_bytes) {
        return DOCTOR_FAIL;
    }
    return free_bytes / 2 < reserve_bytes ? DOCTOR_WARN : DOCTOR_OK;
}

/* data_dir if it is there; what is missing was told by the check of data_dir. */
static const char *directory(const struct doctor_target *target)
{
    const char *path = doctor_target_text(target, "data_dir");
    return path != NULL && access(path, F_OK) == 0 ? path : NULL;
}

void doctor_disk_check_kind(struct doctor *doctor, void *context)
{
    const char *path = directory(context);
    struct statfs info;
    if (path == NULL) {
        return;
    }
    if (statfs(path, &info) != 0) {
        doctor_fail(doctor, "see dmesg", "%s: statfs: %s", path, strerrordesc_np(errno));
        return;
    }
    const char *doubt = doctor_disk_doubt((unsigned long)info.f_type & 0xfffffffful);
    if (doubt != NULL) {
        doctor_warn(doctor, "mount a disk of this host there", "%s lies on %s", path, doubt);
        return;
    }
    doctor_ok(doctor, "a local file system (type %lx)", (unsigned long)info.f_type);
}

/* A file that has no name any more: whatever happens, nothing stays. */
static struct status open_scratch(const char *path, int *ret_fd)
{
    OWNED(fd) int dir_fd = -1;
    char name[32];
    TRY(file_open_dir(path, false, &dir_fd));
    snprintf(name, sizeof(name), ".doctor-%d", (int)getpid());
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "create a file");
    }
    IGNORE(unlinkat(dir_fd, name, 0)); /* It was made just now; else it stays, empty and named. */
    *ret_fd = fd;
    return OK;
}

static struct status measure(int fd, int64_t times_us[SYNCS], size_t *ret_count)
{
    static const uint8_t block[BLOCK] = {1};
    int64_t begun_ms = clock_monotonic_ms();
    size_t count = 0;
    while (count < SYNCS &&
           (count < SYNCS_LEAST || clock_monotonic_ms() - begun_ms < SYNCS_MAX_MS)) {
        int64_t start_us = clock_monotonic_us();
        TRY(file_write_at(fd, BYTES_ARRAY(block), count * BLOCK));
        if (fdatasync(fd) != 0) {
            return FAIL_ERRNO(errno, "fdatasync");
        }
        times_us[count++] = clock_monotonic_us() - start_us;
    }
    *ret_count = count;
    return OK;
}

void doctor_disk_check_sync(struct doctor *doctor, void *context)
{
    const char *path = directory(context);
    OWNED(fd) int fd = -1;
    int64_t times_us[SYNCS];
    size_t count = 0;
    if (path == NULL) {
        return;
    }
    struct status status = open_scratch(path, &fd);
    if (status_ok(status)) {
        status = measure(fd, times_us, &count);
    }
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "nothing can be stored there: see the disk's state and dmesg", "%s: %s", path,
            doctor_why(doctor, status));
        return;
    }
    const char *advice;
    int64_t median_us = doctor_disk_quantile(times_us, count, 500);
    int64_t p99_us = doctor_disk_quantile(times_us, count, 990);
    enum doctor_state state = doctor_disk_judge_sync(median_us, p99_us, &advice);
    doctor_tell(
        doctor, state, advice,
        "write and fdatasync of 4 KiB, %zu times: median %.2f ms, p99 %.2f ms", count,
        (double)median_us / 1000, (double)p99_us / 1000);
}

void doctor_disk_check_space(struct doctor *doctor, void *context)
{
    const char *path = directory(context);
    struct statvfs info;
    if (path == NULL || statvfs(path, &info) != 0) {
        return;
    }
    uint64_t reserve = doctor_target_number(context, "space_reserve", reserve_fallback);
    uint64_t free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    if (info.f_files > 0 && info.f_favail < INODES_LEAST) {
        doctor_fail(
            doctor, "make room: no new file could be made", "%llu inodes are free",
            (unsigned long long)info.f_favail);
        return;
    }
    doctor_tell(
        doctor, doctor_disk_judge_space(free_bytes, reserve),
        "add or free space: below the reserve writes are refused",
        "%llu MiB free, %llu MiB are held in reserve", (unsigned long long)(free_bytes >> 20),
        (unsigned long long)(reserve >> 20));
}
