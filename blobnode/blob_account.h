#pragma once

/*
 * One account's blobs on this node: a segment log and an index of it in memory.
 *
 *   <account hex>/account   who this is (blob_account_file.h), written last
 *   <account hex>/keyset    the newest keyset (blob_keyring.h)
 *   <account hex>/index    the index as it was at some record (blob_account_save.c); a cache
 *   <account hex>/log/      segments: blob records and tombstones
 *
 * What a function reports as STORED, SAME or in the trash is durable when it returns. Puts are
 * put-if-absent, also among each other. Any thread; functions block on the disk.
 */

#include "blobnode/blob_account_file.h"
#include "blobnode/blob_outcome.h"
#include "lib/base/cleanup.h"

struct blob_account;

struct blob_account_options {
    uint64_t segment_size;
    uint64_t space_reserve;      /* Puts are FULL when fewer bytes are free; deletes go on. */
    uint64_t trash_period_s;     /* How long the trash keeps a blob, whoever asks. */
    uint64_t deletes_minute_max; /* More deletes in a minute are refused: the circuit breaker. */
};

/*
 * Make the account's directory in data_dir_fd, or finish one whose making was cut off: all but
 * the account file, then, once the caller has put its own files there, that. EXISTS where it is
 * complete.
 */
MUST_CHECK struct status
blob_account_prepare(int data_dir_fd, const struct id16 *account, int *ret_dir_fd);
MUST_CHECK struct status blob_account_finish(int dir_fd, const struct id16 *account);

/* The directory's name. */
enum { BLOB_ACCOUNT_NAME_SIZE = 2 * ID16_SIZE + 1 };
void blob_account_name(const struct id16 *account, char ret_name[BLOB_ACCOUNT_NAME_SIZE]);

/* Open and replay the log. NOT_FOUND: never finished. now_s: Unix time, for the trash. */
MUST_CHECK struct status blob_account_open(
    int data_dir_fd, const char *name, const struct blob_account_options *options, uint64_t now_s,
    struct blob_account **ret_account);
void blob_account_free(struct blob_account *account);

const struct blob_identity *blob_account_identity(const struct blob_account *account);
/* Its directory, for the keyset; stays ours. */
int blob_account_dir_fd(const struct blob_account *account);

struct blob_put_item {
    struct id16 id;
    const struct bytes *parts; /* Joined they are the blob. */
    size_t count;
    uint32_t size; /* Of all parts. */
};

/* Each item for itself, one sync for all: STORED, SAME, DIFFERS, TRASHED, FULL, CORRUPT (what lies
 * there cannot be compared) or FAILED. */
void blob_account_put(
    struct blob_account *account, const struct blob_put_item *items, size_t count,
    enum blob_outcome *ret_outcomes);

/*
 * Read a blob, size 0: from offset to its end. FOUND: *ret_data is the caller's to free (NULL for
 * no bytes). NOT_FOUND, INVALID (range), CORRUPT, or FAILED (no memory, disk; or more than
 * size_max bytes).
 */
enum blob_outcome blob_account_get(
    struct blob_account *account, const struct id16 *id, uint32_t offset, uint32_t size,
    size_t size_max, uint8_t **ret_data, uint32_t *ret_size);

/*
 * Move blobs to the trash: STORED (it is there, durably), NOT_FOUND or FAILED, each for itself.
 * BUSY, and nothing done: the circuit breaker is open.
 */
MUST_CHECK struct status blob_account_delete(
    struct blob_account *account, const struct id16 *ids, size_t count, uint64_t now_s,
    enum blob_outcome *ret_outcomes);

struct blob_listed {
    struct id16 id;
    uint32_t size;
};

/* Live blobs behind after (NULL: from the first) in order, at most limit; returns how many. */
size_t blob_account_enumerate(
    struct blob_account *account, const struct id16 *after, size_t limit,
    struct blob_listed *ret_listed, bool *ret_is_complete);

struct blob_account_stat {
    uint64_t durable_lsn;
    uint64_t blobs; /* Live. */
    uint64_t bytes; /* Of live blobs. */
    uint64_t trash_bytes;
    uint64_t free_bytes; /* Above the reserve. */
    uint64_t damaged;    /* Records found damaged, at open and by reads. */
    uint64_t syncs;
};
void blob_account_stat(struct blob_account *account, struct blob_account_stat *ret_stat);

/* Forget what has been in the trash for the trash period. */
void blob_account_expire(struct blob_account *account, uint64_t now_s);

/*
 * Write down the index, so that the next open need not read the whole log. By one thread at a time,
 * the one that reclaims; before the end, and when it is due: many records since the last.
 */
MUST_CHECK struct status blob_account_save(struct blob_account *account);
bool blob_account_save_is_due(struct blob_account *account);

/* Give back segments that nothing needs any more; none while there is damage. */
MUST_CHECK struct status blob_account_reclaim(struct blob_account *account, uint64_t *ret_removed);

DEFINE_OWNED(blob_account)
