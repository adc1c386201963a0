#include "blobnode/blob_account.h"

#include "blobnode/blob_account_state.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/crypto/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

void blob_account_name(const struct id16 *account, char ret_name[BLOB_ACCOUNT_NAME_SIZE])
{
    hex_encode(id16_view(account), ret_name);
}

static struct status make_dir(int parent_fd, const char *name, int *ret_fd)
{
    if (mkdirat(parent_fd, name, 0700) == 0) {
        TRY(file_sync_dir(parent_fd));
    } else if (errno != EEXIST) {
        return FAIL_ERRNO(errno, "create directory of account");
    }
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return FAIL_ERRNO(errno, "open directory of account");
    }
    *ret_fd = fd;
    return OK;
}

struct status blob_account_prepare(int data_dir_fd, const struct id16 *account, int *ret_dir_fd)
{
    char name[BLOB_ACCOUNT_NAME_SIZE];
    blob_account_name(account, name);
    OWNED(fd) int dir_fd = -1;
    TRY(make_dir(data_dir_fd, name, &dir_fd));
    struct blob_identity identity;
    struct status status = blob_account_file_read(dir_fd, &identity);
    if (status_ok(status)) {
        return FAIL(EXISTS, "account");
    }
    if (status.code != STATUS_NOT_FOUND) {
        return status; /* A damaged account file is never written over. */
    }
    OWNED(fd) int log_fd = -1;
    TRY(make_dir(dir_fd, "log", &log_fd));
    *ret_dir_fd = dir_fd;
    dir_fd = -1;
    return OK;
}

struct status blob_account_finish(int dir_fd, const struct id16 *account)
{
    struct blob_identity identity = {.account = *account};
    TRY(random_bytes(identity.store_uuid.bytes, ID16_SIZE));
    return blob_account_file_write(dir_fd, &identity);
}

static struct status replay_blob(struct blob_account *account, const struct segment_record *record)
{
    struct blob_place place = {.state = BLOB_STATE_PENDING};
    memcpy(place.id.bytes, record->id, ID16_SIZE);
    struct blob_place *there = blob_index_get(account->index, &place.id);
    if (there != NULL && there->lsn == record->lsn) {
        return OK; /* From the saved index. */
    }
    if (there != NULL) {
        /* An id is written again only when it had gone: from the trash, long ago. The later stands;
         * an earlier one that still lives lost its tombstone. */
        account->damaged += there->state == BLOB_STATE_LIVE ? 1 : 0;
        blob_account_state_drop(account, there);
    }
    TRY(blob_index_add(account->index, &place));
    blob_account_state_publish(account, blob_index_get(account->index, &place.id), record);
    return OK;
}

static struct status
replay(void *context, const struct segment_record *record, struct bytes payload)
{
    struct blob_account *account = context;
    if (record->segment > UINT32_MAX) {
        return FAIL(CORRUPT, "number of segment");
    }
    if (record->flags == RECORD_BLOB) {
        return replay_blob(account, record);
    }
    blob_account_state_note(account, record);
    if (record->flags != RECORD_TOMBSTONE || payload.size != TOMBSTONE_SIZE) {
        account->damaged++;
        return OK;
    }
    struct id16 id;
    memcpy(id.bytes, record->id, ID16_SIZE);
    struct blob_place *place = blob_index_get(account->index, &id);
    if (place != NULL && place->state == BLOB_STATE_LIVE &&
        place->lsn == decode_u64(payload.data + 8)) {
        blob_account_state_trash(account, place, decode_u64(payload.data));
        blob_segments_add_tombstone(account->segments, (uint32_t)record->segment, place->segment);
    }
    return OK;
}

/* Replay what lies behind the mark. */
static struct status replay_log(struct blob_account *account)
{
    /* Our own check keeps the reserve, so that tombstones may use it. */
    struct segment_log_options options = {.segment_size = account->options.segment_size};
    uint64_t damaged = 0;
    TRY(segment_log_open(
        account->log_fd, &options, account->mark.segment, account->mark.offset, replay, account,
        &damaged, &account->log));
    account->damaged += damaged;
    return OK;
}

/* An empty index, and figures that fit. */
static struct status new_index(struct blob_account *account)
{
    blob_index_free(TAKE(account->index));
    blob_segments_free(TAKE(account->segments));
    account->mark = (struct blob_account_mark){.lsn = 0};
    account->saved_lsn = 0;
    account->live = 0;
    account->live_bytes = 0;
    account->trashed = 0;
    account->trash_bytes = 0;
    account->damaged = 0;
    TRY(blob_index_new(&account->index));
    return blob_segments_new(&account->segments);
}

static struct status open_log(struct blob_account *account)
{
    account->log_fd = openat(account->dir_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (account->log_fd < 0) {
        return FAIL_ERRNO(errno, "open log of account");
    }
    struct status status = blob_account_state_load(account);
    if (status_ok(status)) {
        status = replay_log(account);
        if (status_ok(status) && segment_log_last(account->log) >= account->saved_lsn) {
            return OK;
        }
        /* The log is older than the saved index: it alone is the truth. */
        segment_log_free(TAKE(account->log));
    }
    TRY(new_index(account));
    return replay_log(account);
}

/* Reclaim waits for appends, and must not wait for ever because new ones keep coming. */
static void init_appending(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

struct status blob_account_open(
    int data_dir_fd, const char *name, const struct blob_account_options *options, uint64_t now_s,
    struct blob_account **ret_account)
{
    OWNED(blob_account) struct blob_account *account = calloc(1, sizeof(*account));
    if (account == NULL) {
        return FAIL(NO_MEMORY, "account");
    }
    account->options = *options;
    account->now_s = now_s;
    account->log_fd = -1;
    pthread_mutex_init(&account->mutex, NULL);
    pthread_cond_init(&account->settled, NULL);
    init_appending(&account->appending);
    account->dir_fd = openat(data_dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (account->dir_fd < 0) {
        return FAIL_ERRNO(errno, "open account");
    }
    TRY(blob_account_file_read(account->dir_fd, &account->identity));
    char want[BLOB_ACCOUNT_NAME_SIZE];
    blob_account_name(&account->identity.account, want);
    if (strcmp(want, name) != 0) {
        return FAIL(CORRUPT, "account file lies in another account's directory");
    }
    TRY(new_index(account));
    TRY(open_log(account));
    blob_account_expire(account, now_s);
    *ret_account = TAKE(account);
    return OK;
}

void blob_account_free(struct blob_account *account)
{
    if (account == NULL) {
        return;
    }
    segment_log_free(account->log);
    blob_index_free(account->index);
    blob_segments_free(account->segments);
    fd_release(&account->log_fd);
    fd_release(&account->dir_fd);
    pthread_rwlock_destroy(&account->appending);
    pthread_cond_destroy(&account->settled);
    pthread_mutex_destroy(&account->mutex);
    free(account);
}

const struct blob_identity *blob_account_identity(const struct blob_account *account)
{
    return &account->identity;
}

int blob_account_dir_fd(const struct blob_account *account)
{
    return account->dir_fd;
}

/* The live entry of id as it is now; false if there is none. */
static bool
find_live(struct blob_account *account, const struct id16 *id, struct blob_place *ret_place)
{
    LOCKED(&account->mutex);
    struct blob_place *place = blob_index_get(account->index, id);
    if (place == NULL || place->state != BLOB_STATE_LIVE) {
        return false;
    }
    *ret_place = *place;
    return true;
}

enum blob_outcome blob_account_get(
    struct blob_account *account, const struct id16 *id, uint32_t offset, uint32_t size,
    size_t size_max, uint8_t **ret_data, uint32_t *ret_size)
{
    struct blob_place place;
    if (!find_live(account, id, &place)) {
        return BLOB_NOT_FOUND;
    }
    if (offset > place.size || size > place.size - offset) {
        return BLOB_INVALID;
    }
    uint32_t wanted = size == 0 ? place.size - offset : size;
    if (wanted > size_max) {
        return BLOB_FAILED;
    }
    uint8_t *data = malloc(wanted > 0 ? wanted : 1);
    if (data == NULL) {
        return BLOB_FAILED;
    }
    enum blob_outcome outcome = blob_account_state_read(account, &place, offset, data, wanted);
    if (outcome != BLOB_FOUND || wanted == 0) {
        free(data);
        data = NULL;
    }
    if (outcome == BLOB_FOUND) {
        *ret_data = data;
        *ret_size = wanted;
    }
    return outcome;
}

size_t blob_account_enumerate(
    struct blob_account *account, const struct id16 *after, size_t limit,
    struct blob_listed *ret_listed, bool *ret_is_complete)
{
    LOCKED(&account->mutex);
    size_t count = 0;
    const struct blob_place *place = blob_index_next(account->index, after);
    for (; place != NULL; place = blob_index_next(account->index, &place->id)) {
        if (place->state != BLOB_STATE_LIVE) {
            continue;
        }
        if (count == limit) {
            break;
        }
        ret_listed[count++] = (struct blob_listed){.id = place->id, .size = place->size};
    }
    *ret_is_complete = place == NULL;
    return count;
}

void blob_account_stat(struct blob_account *account, struct blob_account_stat *ret_stat)
{
    struct blob_account_stat stat = {
        .durable_lsn = segment_log_durable(account->log),
        .free_bytes = blob_account_state_space(account),
        .syncs = segment_log_syncs(account->log),
    };
    LOCKED(&account->mutex);
    stat.blobs = account->live;
    stat.bytes = account->live_bytes;
    stat.trash_bytes = account->trash_bytes;
    stat.damaged = account->damaged;
    *ret_stat = stat;
}

void blob_account_expire(struct blob_account *account, uint64_t now_s)
{
    LOCKED(&account->mutex);
    account->now_s = now_s;
    struct blob_place *place = NULL;
    if (account->trashed > 0) {
        place = blob_index_next(account->index, NULL);
    }
    while (place != NULL) {
        struct id16 id = place->id;
        if (blob_account_state_is_expired(account, place)) {
            blob_account_state_drop(account, place);
        }
        place = blob_index_next(account->index, &id);
    }
}
