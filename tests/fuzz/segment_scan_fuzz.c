/*
 * A log whose bytes were changed anywhere: opening gives only records as they were appended, in
 * order, and what is appended afterwards is found again.
 */

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/kv/segment_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEGMENT = 8192, RECORDS = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char segment_name[] = "0000000000000001.seg";

struct seen {
    uint64_t last;
    bool has_new;
};

/* The payload of record n: n bytes of n, and so on; the id says n, or 99 for the one of later. */
static struct status see(void *context, const struct segment_record *record, struct bytes payload)
{
    struct seen *seen = context;
    CHECK(record->lsn > seen->last);
    seen->last = record->lsn;
    CHECK(payload.size == (size_t)record->id[0] * 17);
    for (size_t i = 0; i < payload.size; i++) {
        CHECK(payload.data[i] == record->id[0]);
    }
    seen->has_new = seen->has_new || record->id[0] == 99;
    return OK;
}

static struct status open_log(int dir_fd, struct seen *seen, struct segment_log **ret_log)
{
    struct segment_log_options options = {.segment_size = SEGMENT};
    *seen = (struct seen){0};
    return segment_log_open(dir_fd, &options, 0, 0, see, seen, NULL, ret_log);
}

static void append(struct segment_log *log, uint8_t n)
{
    uint8_t id[16] = {n};
    uint8_t payload[255 * 17];
    memset(payload, n, sizeof(payload));
    struct bytes part = bytes_of(payload, (size_t)n * 17);
    struct segment_record record;
    CHECK(status_ok(segment_log_append(log, id, 0, &part, 1, &record)));
}

/* Changes: offset u16, value u8. */
static void change(int dir_fd, const uint8_t *data, size_t size)
{
    int fd = openat(dir_fd, segment_name, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    for (size_t i = 0; i + 2 < size; i += 3) {
        uint64_t offset = decode_u16(data + i) % SEGMENT;
        CHECK(status_ok(file_write_at(fd, bytes_of(data + i + 2, 1), offset)));
    }
    close(fd);
}

static void remove_all(int dir_fd, const char *path)
{
    unlinkat(dir_fd, segment_name, 0);
    unlinkat(dir_fd, "0000000000000002.seg", 0);
    close(dir_fd);
    CHECK(rmdir(path) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[] = "/tmp/segment_scan_fuzzXXXXXX";
    CHECK(mkdtemp(path) != NULL);
    int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct seen seen;
    struct segment_log *log = NULL;
    CHECK(status_ok(open_log(dir_fd, &seen, &log)));
    for (uint8_t i = 0; i < RECORDS; i++) {
        append(log, i);
        if (i % 4 == 3) {
            CHECK(status_ok(segment_log_sync(log, i)));
        }
    }
    segment_log_free(log);
    log = NULL;
    change(dir_fd, data, size);
    struct status status = open_log(dir_fd, &seen, &log);
    if (!status_ok(status)) {
        CHECK(status.code == STATUS_CORRUPT); /* Both headers of the only segment are gone. */
        remove_all(dir_fd, path);
        return 0;
    }
    append(log, 99);
    segment_log_free(log);
    log = NULL;
    CHECK(status_ok(open_log(dir_fd, &seen, &log)));
    CHECK(seen.has_new);
    segment_log_free(log);
    remove_all(dir_fd, path);
    return 0;
}
