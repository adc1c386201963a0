#include "lib/kv/segment_scan.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/kv/segment_codec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/*
 * One segment is walked record by record. At a bad place the walk goes on at the next header that
 * is valid. Is the bad place damage, or a tail that a crash tore? In a segment that has a
 * successor: damage, for it was synced before. In the last one, each header says which LSN was
 * durable when it was written; if any says so of the LSN that is missing, it is damage. Else
 * nothing behind it was ever acknowledged with it, and the log is cut there.
 */

enum { WINDOW = 256 * 1024 };

/* The state of one walk. */
struct walk {
    struct segment_scan *scan;
    struct segment_file file;
    uint64_t at;
    uint64_t limit; /* Records end here at the latest. */
    bool is_exact;  /* They end there, says the next segment. */
    bool is_last;
    uint64_t proven;   /* Last segment: the highest LSN that some header calls durable. */
    uint64_t unproven; /* Last segment: offset of the first record above proven. */
    uint8_t *payload;  /* Owned. */
    size_t payload_capacity;
};

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

static bool parse_name(const char *name, const char *suffix, uint64_t *ret_number)
{
    uint8_t number[8];
    if (strlen(name) != 20 || strcmp(name + 16, suffix) != 0 ||
        !hex_decode(bytes_of(name, 16), number, sizeof(number))) {
        return false;
    }
    *ret_number = decode_u64(number);
    return true;
}

static struct status add_number(uint64_t number, uint64_t **numbers, size_t *count)
{
    if ((*count & (*count - 1)) == 0) { /* Full at each power of two. */
        uint64_t *more = realloc(*numbers, (*count == 0 ? 1 : *count * 2) * sizeof(**numbers));
        if (more == NULL) {
            return FAIL(NO_MEMORY, "list of segments");
        }
        *numbers = more;
    }
    (*numbers)[(*count)++] = number;
    return OK;
}

static struct status read_names(int dir_fd, DIR *dir, uint64_t **numbers, size_t *count)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            return errno == 0 ? OK : FAIL_ERRNO(errno, "read directory");
        }
        uint64_t number;
        if (parse_name(entry->d_name, ".new", &number)) {
            unlinkat(dir_fd, entry->d_name, 0); /* A creation that a crash ended. */
        } else if (parse_name(entry->d_name, ".seg", &number)) {
            TRY(add_number(number, numbers, count));
        }
    }
}

struct status segment_scan_list(int dir_fd, uint64_t **ret_numbers, size_t *ret_count)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "open directory");
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return FAIL_ERRNO(errno, "open directory");
    }
    uint64_t *numbers = NULL;
    size_t count = 0;
    struct status status = read_names(dir_fd, dir, &numbers, &count);
    closedir(dir);
    if (!status_ok(status)) {
        free(numbers);
        return status;
    }
    if (count > 0) {
        qsort(numbers, count, sizeof(*numbers), compare_numbers);
    }
    *ret_numbers = numbers;
    *ret_count = count;
    return OK;
}

static void release_numbers(uint64_t **numbers)
{
    free(*numbers);
}

/* The header at offset, if it is that of a record which ends by the limit. */
static struct status read_header(
    const struct walk *walk, uint64_t offset, struct segment_record *ret_record,
    uint64_t *ret_durable, bool *ret_is_valid)
{
    *ret_is_valid = false;
    if (offset + SEGMENT_RECORD_HEADER > walk->limit) {
        return OK;
    }
    uint8_t header[SEGMENT_RECORD_HEADER];
    TRY(file_read_at(walk->file.fd, header, sizeof(header), offset));
    *ret_is_valid =
        segment_codec_decode(&walk->file, offset, walk->limit, header, ret_record, ret_durable);
    return OK;
}

/* The offset of the next valid header from `from` on; limit if there is none. */
static struct status find_header(const struct walk *walk, uint64_t from, uint64_t *ret_offset)
{
    uint8_t *window = malloc(WINDOW);
    if (window == NULL) {
        return FAIL(NO_MEMORY, "scan window");
    }
    struct status status = OK;
    uint64_t found = walk->limit;
    uint64_t at = from;
    while (found == walk->limit) {
        at = segment_file_data(&walk->file, at) / SEGMENT_ALIGN * SEGMENT_ALIGN;
        if (at + SEGMENT_RECORD_HEADER > walk->limit) {
            break;
        }
        size_t size = walk->limit - at < WINDOW ? (size_t)(walk->limit - at) : WINDOW;
        status = file_read_at(walk->file.fd, window, size, at);
        if (!status_ok(status)) {
            break;
        }
        size_t i = 0;
        for (; i + SEGMENT_RECORD_HEADER <= size && found == walk->limit; i += SEGMENT_ALIGN) {
            struct segment_record record;
            uint64_t durable;
            if (segment_codec_decode(
                    &walk->file, at + i, walk->limit, window + i, &record, &durable)) {
                found = at + i;
            }
        }
        at += i;
    }
    free(window);
    if (status_ok(status)) {
        *ret_offset = found;
    }
    return status;
}

/*
 * All headers of the last segment: what they call durable, and where the walk begins: at the first
 * record from `from` on, or at a bad place before it, for a mark may lie behind what survived.
 */
static struct status survey(struct walk *walk, uint64_t from)
{
    uint64_t at = SEGMENT_FILE_HEADER;
    while (at < walk->limit) {
        struct segment_record record;
        uint64_t durable;
        bool is_valid;
        TRY(read_header(walk, at, &record, &durable, &is_valid));
        if (walk->at == 0 && (!is_valid || at >= from)) {
            walk->at = at;
        }
        if (!is_valid) {
            TRY(find_header(walk, at + SEGMENT_ALIGN, &at));
            continue;
        }
        if (durable > walk->proven) {
            walk->proven = durable;
        }
        if (walk->at == 0 && record.lsn > walk->scan->last_lsn) {
            walk->scan->last_lsn = record.lsn;
        }
        at += segment_codec_total(record.size);
    }
    if (walk->at == 0) {
        walk->at = at;
    }
    return OK;
}

static struct status read_payload(struct walk *walk, const struct segment_record *record)
{
    if (record->size > walk->payload_capacity) {
        free(walk->payload);
        walk->payload_capacity = 0;
        walk->payload = malloc(record->size);
        if (walk->payload == NULL) {
            return FAIL(NO_MEMORY, "payload of record");
        }
        walk->payload_capacity = record->size;
    }
    return segment_codec_read(&walk->file, record, 0, walk->payload, record->size);
}

/* Give one record whose header is valid to the user; false: its payload is bad. */
static struct status
walk_record(struct walk *walk, const struct segment_record *record, bool *ret_is_good)
{
    struct status status = read_payload(walk, record);
    if (status.code == STATUS_CORRUPT) {
        *ret_is_good = false;
        return OK;
    }
    TRY(status);
    *ret_is_good = true;
    if (walk->is_last && record->lsn > walk->proven && walk->unproven == 0) {
        walk->unproven = record->offset;
    }
    if (walk->scan->scan == NULL) {
        return OK;
    }
    return walk->scan->scan(walk->scan->context, record, bytes_of(walk->payload, record->size));
}

/* No valid header at walk->at: move to the next one, or to the limit. */
static struct status walk_gap(struct walk *walk)
{
    uint64_t next;
    TRY(find_header(walk, walk->at + SEGMENT_ALIGN, &next));
    bool is_zero = false;
    if (next == walk->limit && !walk->is_exact) {
        TRY(segment_file_is_zero(&walk->file, walk->at, walk->limit, &is_zero));
    }
    walk->scan->damaged += is_zero ? 0 : 1;
    walk->at = next;
    return OK;
}

/* From walk->at on; it ends where the records of this segment end. */
static struct status walk_segment(struct walk *walk)
{
    struct segment_scan *scan = walk->scan;
    while (walk->at < walk->limit) {
        struct segment_record record;
        uint64_t durable;
        bool is_valid;
        bool is_good = false;
        TRY(read_header(walk, walk->at, &record, &durable, &is_valid));
        is_valid = is_valid && record.lsn > scan->last_lsn;
        if (is_valid) {
            TRY(walk_record(walk, &record, &is_good));
        }
        if (!is_good && walk->is_last && scan->last_lsn + 1 > walk->proven) {
            return OK; /* The tail. */
        }
        if (!is_valid) {
            TRY(walk_gap(walk));
            continue;
        }
        scan->damaged += is_good ? 0 : 1;
        scan->last_lsn = record.lsn;
        walk->at += segment_codec_total(record.size);
    }
    return OK;
}

/* Make what was accepted durable, and what was not zeros: nothing of it may ever come back. */
static struct status settle(struct walk *walk)
{
    TRY(segment_file_zero(&walk->file, walk->at));
    if (walk->unproven != 0) {
        TRY(segment_file_rewrite(&walk->file, walk->unproven, walk->at));
    }
    if (fdatasync(walk->file.fd) != 0) {
        return FAIL_ERRNO(errno, "sync end of log");
    }
    return OK;
}

static void walk_release(struct walk *walk)
{
    segment_file_release(&walk->file);
    free(walk->payload);
}

/* next: the header of segment number + 1, or NULL. */
static struct status
scan_older(struct segment_scan *scan, uint64_t number, const struct segment_file *next)
{
    __attribute__((cleanup(walk_release))) struct walk walk = {.scan = scan, .file.fd = -1};
    bool is_damaged;
    struct status status = segment_file_open(scan->dir_fd, number, false, &walk.file, &is_damaged);
    if (status.code == STATUS_CORRUPT) {
        scan->damaged++;
        return OK;
    }
    TRY(status);
    scan->damaged += is_damaged ? 1 : 0;
    walk.limit = segment_file_limit(&walk.file);
    if (next != NULL && next->previous_end <= walk.limit) {
        walk.limit = next->previous_end;
        walk.is_exact = true;
    }
    walk.at = number == scan->from_segment && scan->from_offset != 0 ? scan->from_offset
                                                                     : SEGMENT_FILE_HEADER;
    if (walk.file.first_lsn > scan->last_lsn + 1) {
        scan->last_lsn = walk.file.first_lsn - 1;
    }
    return walk_segment(&walk);
}

static struct status
scan_last(struct segment_scan *scan, struct segment_file *file, uint64_t *ret_end)
{
    __attribute__((cleanup(walk_release))) struct walk walk = {
        .scan = scan, .file = *file, .is_last = true, .limit = segment_file_limit(file)};
    file->fd = -1;
    uint64_t from = file->number == scan->from_segment ? scan->from_offset : 0;
    if (walk.file.first_lsn > scan->last_lsn + 1) {
        scan->last_lsn = walk.file.first_lsn - 1;
    }
    TRY(survey(&walk, from));
    TRY(walk_segment(&walk));
    TRY(settle(&walk));
    *ret_end = walk.at;
    file->fd = walk.file.fd;
    walk.file.fd = -1;
    return OK;
}

/* The header of a segment, or NULL for one whose header is lost. */
static struct status peek(
    const struct segment_scan *scan, uint64_t number, struct segment_file *file,
    const struct segment_file **ret_file)
{
    bool is_damaged;
    struct status status = segment_file_open(scan->dir_fd, number, false, file, &is_damaged);
    *ret_file = status_ok(status) ? file : NULL;
    if (status_ok(status)) {
        segment_file_release(file);
    }
    return status.code == STATUS_CORRUPT ? OK : status;
}

struct status
segment_scan_run(struct segment_scan *scan, struct segment_file *ret_file, uint64_t *ret_end)
{
    __attribute__((cleanup(release_numbers))) uint64_t *numbers = NULL;
    size_t count;
    TRY(segment_scan_list(scan->dir_fd, &numbers, &count));
    if (count == 0) {
        ret_file->fd = -1;
        return OK;
    }
    for (size_t i = 0; i + 1 < count; i++) {
        if (numbers[i] < scan->from_segment) {
            continue;
        }
        struct segment_file next;
        const struct segment_file *known = NULL;
        if (numbers[i + 1] == numbers[i] + 1) {
            TRY(peek(scan, numbers[i + 1], &next, &known));
        }
        TRY(scan_older(scan, numbers[i], known));
    }
    bool is_damaged;
    struct segment_file file;
    /* Without its header the last segment does not even say which LSN comes next. */
    TRY(segment_file_open(scan->dir_fd, numbers[count - 1], true, &file, &is_damaged));
    scan->damaged += is_damaged ? 1 : 0;
    struct status status = scan_last(scan, &file, ret_end);
    if (!status_ok(status)) {
        segment_file_release(&file);
        return status;
    }
    *ret_file = file;
    return OK;
}

struct status segment_scan_cut(int dir_fd, uint64_t number, uint64_t end)
{
    struct segment_file file;
    bool is_damaged;
    struct status status = segment_file_open(dir_fd, number, true, &file, &is_damaged);
    if (status.code == STATUS_NOT_FOUND || status.code == STATUS_CORRUPT) {
        return OK; /* Nothing can come back from it. */
    }
    TRY(status);
    status = segment_file_zero(&file, end);
    if (status_ok(status) && fdatasync(file.fd) != 0) {
        status = FAIL_ERRNO(errno, "sync cut segment");
    }
    segment_file_release(&file);
    return status;
}
