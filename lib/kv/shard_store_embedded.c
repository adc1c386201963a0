#include "lib/kv/shard_store_embedded.h"

#include "lib/base/check.h"
#include "lib/base/file.h"
#include "lib/base/mutant.h"
#include "lib/kv/segment_log.h"
#include "lib/kv/shard_nodes.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * One append is under way at a time, so that LSNs have no gap: a missing one between two records
 * is a lost record. The end of the log is segment_log's affair: it cuts a torn tail at open.
 */

enum {
    PATH_SIZE = 4096,
    SEGMENT_SIZE = 32 * 1024 * 1024,
};
static const uint64_t map_size_default = (uint64_t)64 << 30;
static const uint8_t record_id[16]; /* A commit log has one kind of record, known by its place. */

struct embedded {
    struct shard_store base;
    int dir_fd;                   /* Owned. */
    int lock_fd;                  /* Owned. */
    int log_fd;                   /* Owned: the directory of the log. */
    struct segment_log *log;      /* Owned. */
    struct shard_nodes *nodes;    /* Owned. */
    pthread_mutex_t mutex;        /* Guards the index. */
    struct segment_record *index; /* Owned: the records kept, in order. */
    size_t count;
    size_t capacity;
    uint64_t trim;          /* The first LSN kept. */
    uint64_t first_segment; /* The lowest that may exist. */
    bool is_damaged;        /* Records are missing. */
    bool is_broken;         /* A write failed: nothing more is written. */
};

static struct embedded *embedded_of(struct shard_store *store)
{
    return (struct embedded *)store;
}

/* Remember a failure after which it is not known what is on the disk. */
static struct status note(struct embedded *embedded, struct status status)
{
    if (!status_ok(status) && status.code != STATUS_FULL && status.code != STATUS_STALE) {
        embedded->is_broken = true;
    }
    return status;
}

static struct status check_alive(const struct embedded *embedded)
{
    return embedded->is_broken ? FAIL(IO, "store has failed") : OK;
}

static struct status
embedded_fence(struct shard_store *store, uint32_t fence, struct bytes epoch_row)
{
    struct embedded *embedded = embedded_of(store);
    TRY(check_alive(embedded));
    return note(embedded, shard_nodes_fence(embedded->nodes, fence, epoch_row));
}

static struct status
embedded_epoch_get(struct shard_store *store, uint32_t fence, struct buffer *row)
{
    return shard_nodes_epoch_get(embedded_of(store)->nodes, fence, row);
}

static struct status embedded_epoch_last(struct shard_store *store, uint32_t *ret_fence)
{
    return shard_nodes_epoch_last(embedded_of(store)->nodes, ret_fence);
}

/* Room for one more record, before it is written. */
static struct status index_reserve(struct embedded *embedded)
{
    LOCKED(&embedded->mutex);
    if (embedded->count < embedded->capacity) {
        return OK;
    }
    size_t capacity = embedded->capacity * 2 + 64;
    struct segment_record *more = realloc(embedded->index, capacity * sizeof(*more));
    if (more == NULL) {
        return FAIL(NO_MEMORY, "index of the log");
    }
    embedded->index = more;
    embedded->capacity = capacity;
    return OK;
}

static void index_add(struct embedded *embedded, const struct segment_record *record)
{
    LOCKED(&embedded->mutex);
    CHECK(embedded->count < embedded->capacity);
    embedded->index[embedded->count++] = *record;
}

static struct status embedded_log_append(struct shard_store *store, struct bytes record)
{
    struct embedded *embedded = embedded_of(store);
    TRY(check_alive(embedded));
    TRY(index_reserve(embedded));
    struct segment_record written;
    if (MUTANT_COMMIT_BEFORE_FSYNC) {
        TRY(segment_log_sync(embedded->log, segment_log_last(embedded->log)));
    }
    TRY(note(embedded, segment_log_append(embedded->log, record_id, 0, &record, 1, &written)));
    struct status status =
        MUTANT_COMMIT_BEFORE_FSYNC ? OK : segment_log_sync(embedded->log, written.lsn);
    if (!status_ok(status)) {
        embedded->is_broken = true;
        return status;
    }
    index_add(embedded, &written);
    return OK;
}

/* The first record with an LSN >= position; NOT_FOUND at the end. */
static struct status index_find(
    struct embedded *embedded, shard_position position, struct segment_record *ret_record,
    shard_position *ret_end)
{
    LOCKED(&embedded->mutex);
    size_t low = 0;
    size_t high = embedded->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (embedded->index[middle].lsn < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_end = embedded->count > 0 ? embedded->index[embedded->count - 1].lsn + 1 : embedded->trim;
    if (low == embedded->count) {
        return FAIL(NOT_FOUND, "end of log");
    }
    *ret_record = embedded->index[low];
    return OK;
}

static struct status embedded_log_read(
    struct shard_store *store, shard_position *position, struct buffer *record, bool *ret_torn)
{
    struct embedded *embedded = embedded_of(store);
    if (embedded->is_damaged) {
        return FAIL(CORRUPT, "the log has lost records");
    }
    struct segment_record found;
    shard_position end;
    struct status status = index_find(embedded, *position, &found, &end);
    if (!status_ok(status)) {
        *ret_torn = false;
        *position = end;
        return status;
    }
    uint8_t *to = buffer_extend(record, found.size);
    if (to == NULL && found.size > 0) {
        return buffer_status(record);
    }
    TRY(segment_log_read(embedded->log, &found, 0, to, found.size));
    *position = found.lsn + 1;
    return OK;
}

static struct status embedded_log_cut(struct shard_store *store, shard_position end)
{
    /* The log cut its tail when it was opened; there is never anything left to cut. */
    struct segment_record found;
    shard_position last;
    struct status status = index_find(embedded_of(store), end, &found, &last);
    return status.code == STATUS_NOT_FOUND ? OK : FAIL(INVALID, "records lie behind the cut");
}

static struct status embedded_nodes_put(
    struct shard_store *store, const uint64_t *ids, const struct bytes *nodes, size_t count)
{
    struct embedded *embedded = embedded_of(store);
    TRY(check_alive(embedded));
    return note(embedded, shard_nodes_put(embedded->nodes, ids, nodes, count));
}

static struct status embedded_node_get(struct shard_store *store, uint64_t id, struct buffer *node)
{
    return shard_nodes_get(embedded_of(store)->nodes, id, node);
}

/* Forget records below trim; the first segment that is still needed. */
static uint64_t index_trim(struct embedded *embedded, shard_position trim)
{
    LOCKED(&embedded->mutex);
    size_t gone = 0;
    while (gone < embedded->count && embedded->index[gone].lsn < trim) {
        gone++;
    }
    if (gone > 0) {
        embedded->count -= gone;
        memmove(
            embedded->index, embedded->index + gone, embedded->count * sizeof(*embedded->index));
    }
    embedded->trim = trim > embedded->trim ? trim : embedded->trim;
    return embedded->count > 0 ? embedded->index[0].segment : segment_log_active(embedded->log);
}

static struct status embedded_root_set(
    struct shard_store *store, struct bytes root, shard_position trim, const uint64_t *dead,
    size_t dead_count)
{
    struct embedded *embedded = embedded_of(store);
    TRY(check_alive(embedded));
    trim = trim > embedded->trim ? trim : embedded->trim;
    TRY(note(embedded, shard_nodes_root_set(embedded->nodes, root, trim)));
    TRY(note(embedded, shard_nodes_remove(embedded->nodes, dead, dead_count)));
    uint64_t needed = index_trim(embedded, trim);
    for (; embedded->first_segment < needed; embedded->first_segment++) {
        struct status status = segment_log_remove(embedded->log, embedded->first_segment);
        if (!status_ok(status) && status.code != STATUS_NOT_FOUND) {
            break; /* The root stands; the segment goes another time. */
        }
    }
    return OK;
}

static struct status embedded_root_get(struct shard_store *store, struct buffer *root)
{
    return shard_nodes_root_get(embedded_of(store)->nodes, root, NULL);
}

static struct status embedded_nodes_trim(struct shard_store *store, uint64_t first)
{
    struct embedded *embedded = embedded_of(store);
    TRY(check_alive(embedded));
    return note(embedded, shard_nodes_trim(embedded->nodes, first));
}

static void embedded_free(struct shard_store *store)
{
    struct embedded *embedded = embedded_of(store);
    segment_log_free(embedded->log);
    shard_nodes_free(embedded->nodes);
    free(embedded->index);
    pthread_mutex_destroy(&embedded->mutex);
    fd_release(&embedded->log_fd);
    fd_release(&embedded->lock_fd); /* The last: the directory is free for the next. */
    fd_release(&embedded->dir_fd);
    free(embedded);
}

static const struct shard_store_methods methods = {
    .fence = embedded_fence,
    .epoch_get = embedded_epoch_get,
    .epoch_last = embedded_epoch_last,
    .log_append = embedded_log_append,
    .log_read = embedded_log_read,
    .log_cut = embedded_log_cut,
    .nodes_put = embedded_nodes_put,
    .node_get = embedded_node_get,
    .root_set = embedded_root_set,
    .root_get = embedded_root_get,
    .nodes_trim = embedded_nodes_trim,
    .free = embedded_free,
};

static struct status scan(void *context, const struct segment_record *record, struct bytes payload)
{
    struct embedded *embedded = context;
    (void)payload; /* Read again when kv asks for it. */
    if (embedded->first_segment == 0) {
        embedded->first_segment = record->segment;
    }
    if (record->lsn < embedded->trim) {
        return OK;
    }
    uint64_t wanted =
        embedded->count > 0 ? embedded->index[embedded->count - 1].lsn + 1 : embedded->trim;
    embedded->is_damaged = embedded->is_damaged || record->lsn != wanted;
    TRY(index_reserve(embedded));
    index_add(embedded, record);
    return OK;
}

/* Make a directory below dir and give its path. */
static struct status
open_below(const char *dir, const char *name, char path[PATH_SIZE], int *ret_fd)
{
    if (snprintf(path, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE) {
        return FAIL(TOO_LARGE, "path of store");
    }
    return file_open_dir(path, true, ret_fd);
}

static struct status open_parts(
    struct embedded *embedded, const char *dir, const struct shard_store_embedded_options *options)
{
    char path[PATH_SIZE];
    OWNED(fd) int nodes_fd = -1;
    TRY(file_open_dir(dir, true, &embedded->dir_fd));
    TRY(file_lock(embedded->dir_fd, "lock", &embedded->lock_fd));
    TRY(open_below(dir, "nodes", path, &nodes_fd));
    TRY(shard_nodes_open(
        path, options->map_size != 0 ? options->map_size : map_size_default, &embedded->nodes));
    struct status status = shard_nodes_root_get(embedded->nodes, NULL, &embedded->trim);
    if (status.code != STATUS_NOT_FOUND) {
        TRY(status);
    }
    embedded->trim = embedded->trim > 1 ? embedded->trim : 1; /* LSNs begin at 1. */
    TRY(open_below(dir, "log", path, &embedded->log_fd));
    struct segment_log_options log_options = {
        .segment_size = options->segment_size != 0 ? options->segment_size : SEGMENT_SIZE,
        .space_reserve = options->space_reserve,
        .prefill = true,
    };
    TRY(segment_log_open(
        embedded->log_fd, &log_options, 0, 0, scan, embedded, NULL, &embedded->log));
    if (segment_log_last(embedded->log) + 1 < embedded->trim) {
        embedded->is_damaged = true;
    }
    if (embedded->first_segment == 0) {
        embedded->first_segment = segment_log_active(embedded->log);
    }
    return OK;
}

struct status shard_store_embedded_open(
    const char *dir, const struct shard_store_embedded_options *options,
    struct shard_store **ret_store)
{
    struct embedded *embedded = calloc(1, sizeof(*embedded));
    if (embedded == NULL) {
        return FAIL(NO_MEMORY, "embedded store");
    }
    embedded->base.methods = &methods;
    embedded->dir_fd = -1;
    embedded->lock_fd = -1;
    embedded->log_fd = -1;
    pthread_mutex_init(&embedded->mutex, NULL);
    OWNED(shard_store) struct shard_store *store = &embedded->base;
    TRY(open_parts(embedded, dir, options));
    *ret_store = TAKE(store);
    return OK;
}
