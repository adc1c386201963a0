#pragma once

/* What the files of blob_account share; nobody else includes it. */

#include "blobnode/blob_account.h"
#include "blobnode/blob_index.h"
#include "blobnode/blob_segments.h"
#include "lib/kv/segment_log.h"

#include <pthread.h>

/*
 * Flags of a record. A tombstone's payload: time u64 (Unix seconds) | LSN u64 of the blob's record.
 */
enum { RECORD_BLOB = 1, RECORD_TOMBSTONE = 2, TOMBSTONE_SIZE = 16 };

/*
 * mutex guards the index and the figures and is held for no I/O. A put claims its id as PENDING,
 * appends, and publishes the entry as LIVE; another put of that id waits for this one append, and
 * never while it holds a claim itself, so that no two calls can wait for each other. A published
 * entry may not be durable yet: who answers for it syncs up to its LSN first.
 */
struct blob_account_mark {
    uint64_t segment;
    uint64_t offset;
    uint64_t lsn; /* 0: none yet. */
};

struct blob_account {
    struct blob_identity identity;
    struct blob_account_options options;
    int dir_fd;
    int log_fd;
    struct segment_log *log;    /* Owned. */
    pthread_rwlock_t appending; /* Read: from an append until its place is known; before mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t settled;         /* A claim ended. */
    struct blob_index *index;       /* Owned. */
    struct blob_segments *segments; /* Owned. */
    struct blob_account_mark mark;  /* The log's last record that is in the index. */
    uint64_t saved_lsn;             /* Mark of the saved index; the housekeeper's. */
    uint64_t live;
    uint64_t live_bytes;
    uint64_t trashed;
    uint64_t trash_bytes;
    uint64_t damaged;
    uint64_t now_s; /* At open: the clock of the replay. */
    int64_t minute_start_ms;
    uint64_t minute_deletes;
};

/* With the mutex held, these keep the figures right. */
bool blob_account_state_is_expired(
    const struct blob_account *account, const struct blob_place *place);
void blob_account_state_drop(struct blob_account *account, const struct blob_place *place);
void blob_account_state_publish(
    struct blob_account *account, struct blob_place *place, const struct segment_record *record);
void blob_account_state_trash(
    struct blob_account *account, struct blob_place *place, uint64_t now_s);

/* Count an entry that is live or in the trash. */
void blob_account_state_count(struct blob_account *account, const struct blob_place *place);
/* A record was appended and is in the index. */
void blob_account_state_note(struct blob_account *account, const struct segment_record *record);

/* Without the mutex. */

/* Fill an empty index from the file; what a failure leaves in it must be thrown away. */
MUST_CHECK struct status blob_account_state_load(struct blob_account *account);
/* Remove the file: it would name what is no longer there. */
MUST_CHECK struct status blob_account_state_unsave(struct blob_account *account);

/* Bytes free above the reserve. */
uint64_t blob_account_state_space(const struct blob_account *account);
/* Read a part of a blob: FOUND, CORRUPT (and counted) or FAILED. */
enum blob_outcome blob_account_state_read(
    struct blob_account *account, const struct blob_place *place, uint32_t offset, void *to,
    uint32_t size);

/* No append is under way for the rest of the block. */
#define BLOB_ACCOUNT_QUIET(account)                                                                \
    __attribute__((cleanup(blob_account_state_appended), unused)) pthread_rwlock_t *quiet_ =       \
        &(account)->appending;                                                                     \
    pthread_rwlock_wrlock(quiet_)

/* Hold off blob_account_reclaim and blob_account_save for the rest of the block. */
#define BLOB_ACCOUNT_APPENDING(account)                                                            \
    __attribute__((cleanup(blob_account_state_appended), unused)) pthread_rwlock_t *appending_ =   \
        &(account)->appending;                                                                     \
    pthread_rwlock_rdlock(appending_)
static inline void blob_account_state_appended(pthread_rwlock_t **lock)
{
    pthread_rwlock_unlock(*lock);
}
