#include "lib/kv/segment_log.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/base/task.h"
#include "lib/kv/segment_codec.h"
#include "lib/kv/segment_file.h"
#include "lib/kv/segment_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

/*
 * A segment "%016x.seg", number from 1:
 *
 *   header 64 | records ... | zeros | header 64 again (a flipped bit must not lose a segment)
 *   header  = "TSG1" | flags u32 (1: previous cut) | number u64 | salt 8 | size of the file u64 |
 *             first LSN u64 | end of the records of segment number - 1 u64 | 0^12 | CRC32C u32
 *   record  = "TSR1" | id 16 | size u32 | flags u32 | LSN u64 | durable LSN u64 | CRC32C u32
 *           | CRC32C u32 of each 64 KiB of payload | payload | zeros to a multiple of 16
 *
 * The CRC32C of a record's header is over salt | number | offset u64 | the 44 bytes before it. That
 * of the last block covers the zeros behind it too. "durable LSN" is what was synced when the
 * record was written: it tells a torn tail from damage (segment_scan.c).
 *
 * LSNs rise by one, and by more only over a failed sync. Two locks: append_mutex orders appends and
 * the change of segments; mutex guards the figures, and is held for no I/O. A failed sync seals
 * the segment. The next append starts a new one, whose header says, durably and before any record,
 * where the last good sync ended: what lies behind that does not count, now or at the next open.
 */

enum { LOST_MAX = 16 };

/* LSNs in (after, to] were lost by a failed sync. */
struct lost {
    uint64_t after;
    uint64_t to;
};

struct segment_log {
    int dir_fd; /* Outlives us. */
    struct segment_log_options options;
    pthread_mutex_t append_mutex; /* Taken before mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t synced;
    struct segment_file file; /* The active segment; changed under both. */
    uint64_t end;             /* Where the next record goes. */
    uint64_t good_end;        /* Where the records known durable end. */
    uint64_t last;
    uint64_t durable;
    uint64_t syncs;
    struct lost lost[LOST_MAX];
    size_t lost_count;
    bool is_syncing;
    bool is_sealed; /* A sync failed: nothing above durable counts. */
    bool is_torn;   /* A write failed (append_mutex): bytes lie behind end; change segments. */
};

static struct status
log_new(int dir_fd, const struct segment_log_options *options, struct segment_log **ret_log)
{
    if (options->segment_size < 4096 || options->segment_size > INT64_MAX) {
        return FAIL(INVALID, "size of segments");
    }
    struct segment_log *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        return FAIL(NO_MEMORY, "segment log");
    }
    log->dir_fd = dir_fd;
    log->options = *options;
    log->options.segment_size -= options->segment_size % SEGMENT_ALIGN;
    log->file.fd = -1;
    pthread_mutex_init(&log->append_mutex, NULL);
    pthread_mutex_init(&log->mutex, NULL);
    task_condition_init(&log->synced);
    *ret_log = log;
    return OK;
}

void segment_log_free(struct segment_log *log)
{
    if (log == NULL) {
        return;
    }
    CHECK(!log->is_syncing);
    segment_file_release(&log->file);
    pthread_cond_destroy(&log->synced);
    pthread_mutex_destroy(&log->mutex);
    pthread_mutex_destroy(&log->append_mutex);
    free(log);
}

struct status segment_log_open(
    int dir_fd, const struct segment_log_options *options, uint64_t from_segment,
    uint64_t from_offset, segment_scan_fn *scan, void *context, uint64_t *ret_damaged,
    struct segment_log **ret_log)
{
    OWNED(segment_log) struct segment_log *log = NULL;
    TRY(log_new(dir_fd, options, &log));
    struct segment_scan run = {
        .dir_fd = dir_fd,
        .from_segment = from_segment,
        .from_offset = from_offset,
        .scan = scan,
        .context = context,
    };
    TRY(segment_scan_run(&run, &log->file, &log->end));
    log->good_end = log->end;
    log->last = run.last_lsn;
    log->durable = run.last_lsn;
    if (ret_damaged != NULL) {
        *ret_damaged = run.damaged;
    }
    *ret_log = TAKE(log);
    return OK;
}

static bool is_lost(const struct segment_log *log, uint64_t lsn)
{
    for (size_t i = 0; i < log->lost_count; i++) {
        if (lsn > log->lost[i].after && lsn <= log->lost[i].to) {
            return true;
        }
    }
    return log->is_sealed && lsn > log->durable;
}

/* Sync for all that is appended by now; mutex is held, but not during the sync. */
static void lead(struct segment_log *log)
{
    uint64_t target = log->last;
    uint64_t end = log->end;
    int fd = log->file.fd;
    log->is_syncing = true;
    pthread_mutex_unlock(&log->mutex);
    int result = fdatasync(fd);
    pthread_mutex_lock(&log->mutex);
    log->is_syncing = false;
    log->syncs++;
    if (result != 0) {
        /* The kernel may have dropped the pages: a second sync that succeeds would prove nothing.
         */
        log->is_sealed = true;
    } else {
        log->durable = target;
        log->good_end = end;
    }
    pthread_cond_broadcast(&log->synced);
}

struct status segment_log_sync(struct segment_log *log, uint64_t lsn)
{
    LOCKED(&log->mutex);
    CHECK(lsn <= log->last);
    for (;;) {
        if (is_lost(log, lsn)) {
            return FAIL(IO, "sync of the log failed");
        }
        if (lsn <= log->durable) {
            return OK;
        }
        if (!log->is_syncing) {
            lead(log);
            continue;
        }
        pthread_cond_wait(&log->synced, &log->mutex);
    }
}

static struct status check_space(const struct segment_log *log)
{
    struct statvfs info;
    if (fstatvfs(log->dir_fd, &info) != 0) {
        return FAIL_ERRNO(errno, "free space");
    }
    uint64_t free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    if (free_bytes < log->options.segment_size ||
        free_bytes - log->options.segment_size < log->options.space_reserve) {
        return FAIL(FULL, "no space for a new segment");
    }
    return OK;
}

/* Make file, durable by now, the active segment. */
static void change_file(struct segment_log *log, const struct segment_file *file)
{
    LOCKED(&log->mutex);
    while (log->is_syncing) {
        pthread_cond_wait(&log->synced, &log->mutex);
    }
    if (log->is_sealed && log->last > log->durable) {
        log->lost[log->lost_count++] = (struct lost){log->durable, log->last};
        log->durable = log->last; /* Decided, if not stored. */
    }
    segment_file_release(&log->file);
    log->file = *file;
    log->end = SEGMENT_FILE_HEADER;
    log->good_end = SEGMENT_FILE_HEADER;
    log->is_sealed = false;
    log->is_torn = false;
}

static uint64_t durable_now(struct segment_log *log)
{
    LOCKED(&log->mutex);
    return log->durable;
}

/* Start the next segment; append_mutex is held. */
static struct status roll(struct segment_log *log)
{
    bool had_file = log->file.fd >= 0;
    if (had_file &&
        log->last > durable_now(log)) { /* Not for one that a failed sync has decided. */
        struct status status = segment_log_sync(log, log->last);
        CHECK(status_ok(status) || log->is_sealed);
        if (log->is_sealed && log->options.ends_on_failed_sync) {
            return FAIL(IO, "a sync of the log failed before");
        }
    }
    if (log->lost_count == LOST_MAX) {
        return FAIL(IO, "too many failed syncs");
    }
    TRY(check_space(log));
    struct segment_file file = {
        .number = log->file.number + 1,
        .size = log->options.segment_size,
        .first_lsn = log->last + 1,
        .previous_end = had_file ? log->good_end : 0,
        .previous_cut = log->is_sealed || log->is_torn,
    };
    TRY(segment_file_create(log->dir_fd, log->options.prefill, &file));
    change_file(log, &file);
    return OK;
}

static struct status ensure_room(struct segment_log *log, uint64_t total)
{
    bool has_room =
        log->file.fd >= 0 && !log->is_torn && total <= segment_file_limit(&log->file) - log->end;
    if (has_room) {
        LOCKED(&log->mutex);
        has_room = !log->is_sealed;
    }
    return has_room ? OK : roll(log);
}

/* head: room for the header, then the sums. append_mutex is held. */
static struct status append_locked(
    struct segment_log *log, struct segment_record *record, uint8_t *head, size_t head_size,
    const struct bytes *parts, size_t count)
{
    uint64_t total = segment_codec_total(record->size);
    TRY(ensure_room(log, total));
    record->lsn = log->last + 1;
    record->segment = log->file.number;
    record->offset = log->end;
    segment_codec_encode(&log->file, record, durable_now(log), head);
    struct status status = segment_codec_write(
        log->file.fd, record->offset, bytes_of(head, head_size), parts, count, record->size);
    if (!status_ok(status)) {
        log->is_torn = true;
        return status;
    }
    LOCKED(&log->mutex);
    log->last = record->lsn;
    log->end += total;
    return OK;
}

struct status segment_log_append(
    struct segment_log *log, const uint8_t id[16], uint32_t flags, const struct bytes *parts,
    size_t count, struct segment_record *ret_record)
{
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > SEGMENT_RECORD_MAX - size) {
            return FAIL(TOO_LARGE, "record");
        }
        size += parts[i].size;
    }
    struct segment_record record = {.flags = flags, .size = (uint32_t)size};
    memcpy(record.id, id, sizeof(record.id));
    if (segment_codec_total(record.size) > log->options.segment_size - 2 * SEGMENT_FILE_HEADER) {
        return FAIL(TOO_LARGE, "record for a segment");
    }
    uint8_t head[SEGMENT_RECORD_HEADER + 4 * SEGMENT_BLOCKS_MAX];
    segment_codec_sum(parts, count, record.size, head + SEGMENT_RECORD_HEADER);
    LOCKED(&log->append_mutex);
    TRY(append_locked(log, &record, head, segment_codec_payload(record.size), parts, count));
    *ret_record = record;
    return OK;
}

uint64_t segment_log_last(struct segment_log *log)
{
    LOCKED(&log->mutex);
    return log->last;
}

uint64_t segment_log_durable(struct segment_log *log)
{
    return durable_now(log);
}

uint64_t segment_log_syncs(struct segment_log *log)
{
    LOCKED(&log->mutex);
    return log->syncs;
}

uint64_t segment_log_active(struct segment_log *log)
{
    LOCKED(&log->mutex);
    return log->file.number;
}

struct status segment_log_read(
    struct segment_log *log, const struct segment_record *record, uint32_t offset, void *to,
    size_t size)
{
    if (offset > record->size || size > record->size - offset) {
        return FAIL(RANGE, "part of record");
    }
    __attribute__((cleanup(segment_file_release))) struct segment_file file = {.fd = -1};
    bool is_damaged; /* One copy of the header is enough. */
    TRY(segment_file_open(log->dir_fd, record->segment, false, &file, &is_damaged));
    uint8_t header[SEGMENT_RECORD_HEADER];
    TRY(file_read_at(file.fd, header, sizeof(header), record->offset));
    struct segment_record found;
    uint64_t durable;
    if (!segment_codec_decode(
            &file, record->offset, segment_file_limit(&file), header, &found, &durable) ||
        found.lsn != record->lsn || found.size != record->size || found.flags != record->flags ||
        memcmp(found.id, record->id, sizeof(found.id)) != 0) {
        return FAIL(CORRUPT, "header of record");
    }
    return segment_codec_read(&file, &found, offset, to, size);
}

struct status segment_log_remove(struct segment_log *log, uint64_t segment)
{
    LOCKED(&log->append_mutex);
    if (segment >= log->file.number) {
        return FAIL(BUSY, "the active segment stays");
    }
    __attribute__((cleanup(segment_file_release))) struct segment_file file = {.fd = -1};
    bool is_damaged;
    struct status status = segment_file_open(log->dir_fd, segment, false, &file, &is_damaged);
    if (status_ok(status) && file.previous_cut) {
        /* Our header alone keeps the tail of the segment before us from coming back. */
        TRY(segment_scan_cut(log->dir_fd, segment - 1, file.previous_end));
    }
    if (!status_ok(status) && status.code != STATUS_CORRUPT) {
        return status;
    }
    return segment_file_remove(log->dir_fd, segment);
}
