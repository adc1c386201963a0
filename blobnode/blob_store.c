#include "blobnode/blob_store.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/telemetry/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

struct blob_store {
    struct blob_store_options options;
    int dir_fd;
    int lock_fd;
    struct blob_keyring *keyring; /* Owned. */
    pthread_mutex_t format_mutex; /* One making at a time; taken before mutex. */
    pthread_mutex_t mutex;        /* Guards what follows. */
    struct blob_account *accounts[BLOB_STORE_ACCOUNTS_MAX]; /* Owned. */
    size_t count;
    size_t broken;
};

struct blob_account *blob_store_find(struct blob_store *store, const struct id16 *account)
{
    LOCKED(&store->mutex);
    for (size_t i = 0; i < store->count; i++) {
        if (id16_equal(&blob_account_identity(store->accounts[i])->account, account)) {
            return store->accounts[i];
        }
    }
    return NULL;
}

struct blob_account *blob_store_at(struct blob_store *store, size_t number)
{
    LOCKED(&store->mutex);
    return number < store->count ? store->accounts[number] : NULL;
}

struct blob_keyring *blob_store_keyring(struct blob_store *store)
{
    return store->keyring;
}

static struct status add(struct blob_store *store, struct blob_account **take_account)
{
    LOCKED(&store->mutex);
    if (store->count == BLOB_STORE_ACCOUNTS_MAX) {
        return FAIL(FULL, "accounts of this node");
    }
    store->accounts[store->count++] = TAKE(*take_account);
    return OK;
}

/* Open the account in the directory name and make it known. */
static struct status open_account(struct blob_store *store, const char *name, uint64_t now_s)
{
    OWNED(blob_account) struct blob_account *account = NULL;
    TRY(blob_account_open(store->dir_fd, name, &store->options.account, now_s, &account));
    const struct id16 id = blob_account_identity(account)->account;
    int dir_fd = blob_account_dir_fd(account);
    struct blob_account_stat stat;
    blob_account_stat(account, &stat);
    TRY(add(store, &account));
    /* Without a good keyset the account serves nobody until one is pushed. */
    struct status status = blob_keyring_add(store->keyring, &id, dir_fd, now_s);
    log_event(
        stat.damaged > 0 || !status_ok(status) ? LOG_WARN : LOG_INFO, "account opened",
        LOG_HEX("account", id16_view(&id)), LOG_INT("blobs", stat.blobs),
        LOG_INT("damaged", stat.damaged), LOG_INT("durable_lsn", stat.durable_lsn),
        LOG_STATUS(status));
    return OK;
}

static bool is_account_name(const char *name)
{
    struct id16 id;
    return hex_decode(bytes_text(name), id.bytes, ID16_SIZE);
}

static struct status open_accounts(struct blob_store *store)
{
    DIR *dir = opendir(store->options.data_dir);
    if (dir == NULL) {
        return FAIL_ERRNO(errno, "list data directory");
    }
    uint64_t now_s = (uint64_t)clock_wall_s();
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (!is_account_name(entry->d_name)) {
            continue;
        }
        struct status status = open_account(store, entry->d_name, now_s);
        if (status.code == STATUS_NOT_FOUND) {
            log_event(LOG_INFO, "account was never finished", LOG_TEXT("account", entry->d_name));
        } else if (!status_ok(status)) {
            store->broken++;
            log_event(
                LOG_ERROR, "account cannot be opened", LOG_TEXT("account", entry->d_name),
                LOG_STATUS(status));
        }
    }
    closedir(dir);
    return OK;
}

struct status
blob_store_open(const struct blob_store_options *options, struct blob_store **ret_store)
{
    OWNED(blob_store) struct blob_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return FAIL(NO_MEMORY, "store");
    }
    store->options = *options;
    store->dir_fd = -1;
    store->lock_fd = -1;
    pthread_mutex_init(&store->format_mutex, NULL);
    pthread_mutex_init(&store->mutex, NULL);
    TRY(file_open_dir(options->data_dir, true, &store->dir_fd));
    TRY(file_lock(store->dir_fd, "lock", &store->lock_fd));
    TRY(blob_keyring_new(&options->root, options->token_life_max_s, &store->keyring));
    TRY(open_accounts(store));
    *ret_store = TAKE(store);
    return OK;
}

/* Without it the next open takes longer, no more. */
static void save_account(struct blob_account *account)
{
    struct status status = blob_account_save(account);
    if (!status_ok(status)) {
        const struct id16 *id = &blob_account_identity(account)->account;
        log_event(
            LOG_WARN, "index not saved", LOG_HEX("account", id16_view(id)), LOG_STATUS(status));
    }
}

void blob_store_free(struct blob_store *store)
{
    if (store == NULL) {
        return;
    }
    blob_keyring_free(store->keyring);
    for (size_t i = 0; i < store->count; i++) {
        save_account(store->accounts[i]);
        blob_account_free(store->accounts[i]);
    }
    fd_release(&store->lock_fd);
    fd_release(&store->dir_fd);
    pthread_mutex_destroy(&store->mutex);
    pthread_mutex_destroy(&store->format_mutex);
    free(store);
}

/* The keyset before the account file: a finished account has one. */
static struct status make_account(
    struct blob_store *store, const struct id16 *account, struct bytes keyset, uint64_t now_s)
{
    if (blob_store_at(store, BLOB_STORE_ACCOUNTS_MAX - 1) != NULL) {
        return FAIL(FULL, "accounts of this node");
    }
    OWNED(fd) int dir_fd = -1;
    struct status status = blob_account_prepare(store->dir_fd, account, &dir_fd);
    if (status_ok(status)) {
        TRY(file_replace(dir_fd, "keyset", keyset, 0600));
        TRY(blob_account_finish(dir_fd, account));
    } else if (status.code != STATUS_EXISTS) { /* Finished, but an open of it failed. */
        return status;
    }
    char name[BLOB_ACCOUNT_NAME_SIZE];
    blob_account_name(account, name);
    return open_account(store, name, now_s);
}

struct status blob_store_format(
    struct blob_store *store, const struct id16 *account, struct bytes keyset, uint64_t now_s,
    struct id16 *ret_store_uuid)
{
    TRY(blob_keyring_verify(store->keyring, account, keyset, now_s));
    LOCKED(&store->format_mutex);
    if (blob_store_find(store, account) == NULL) {
        TRY(make_account(store, account, keyset, now_s));
    } else {
        uint64_t version;
        TRY(blob_keyring_push(store->keyring, account, keyset, now_s, &version));
    }
    const struct blob_account *made = blob_store_find(store, account);
    CHECK(made != NULL);
    *ret_store_uuid = blob_account_identity(made)->store_uuid;
    return OK;
}

void blob_store_expire(struct blob_store *store, uint64_t now_s)
{
    struct blob_account *account;
    for (size_t i = 0; (account = blob_store_at(store, i)) != NULL; i++) {
        blob_account_expire(account, now_s);
        uint64_t removed = 0;
        struct status status = blob_account_reclaim(account, &removed);
        if (!status_ok(status) || removed > 0) {
            const struct id16 *id = &blob_account_identity(account)->account;
            log_event(
                status_ok(status) ? LOG_INFO : LOG_ERROR, "segments reclaimed",
                LOG_HEX("account", id16_view(id)), LOG_INT("segments", removed),
                LOG_STATUS(status));
        }
        if (blob_account_save_is_due(account)) {
            save_account(account);
        }
    }
}

static uint64_t free_bytes(const struct blob_store *store)
{
    struct statvfs info;
    if (fstatvfs(store->dir_fd, &info) != 0) {
        return 0;
    }
    uint64_t bytes = (uint64_t)info.f_bavail * info.f_frsize;
    uint64_t reserve = store->options.account.space_reserve;
    return bytes > reserve ? bytes - reserve : 0;
}

void blob_store_stat(struct blob_store *store, struct blob_store_stat *ret_stat)
{
    struct blob_store_stat sum = {.free_bytes = free_bytes(store)};
    struct blob_account *account;
    for (; (account = blob_store_at(store, sum.accounts)) != NULL; sum.accounts++) {
        struct blob_account_stat stat;
        blob_account_stat(account, &stat);
        sum.blobs += stat.blobs;
        sum.bytes += stat.bytes;
        sum.trash_bytes += stat.trash_bytes;
        sum.damaged += stat.damaged;
        sum.syncs += stat.syncs;
    }
    LOCKED(&store->mutex);
    sum.accounts_broken = store->broken;
    *ret_stat = sum;
}
