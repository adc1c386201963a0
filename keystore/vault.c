#include "keystore/vault.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/kv/shard_store_embedded.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    APPLY_MS = 15 * 1000,
    SEGMENT_BYTES = 16 * 1024 * 1024,
    SPACE_RESERVE = 32 * 1024 * 1024,
};
static const uint64_t MAP_BYTES = 4ULL << 30;

struct vault {
    int dir_fd;                /* Owned. */
    int lock_fd;               /* Owned. */
    struct seal *seal;         /* Owned. */
    struct shard_store *store; /* Owned. */
    struct kv *kv;             /* Owned. */
    struct kv_dek deks[SEAL_SEKS_MAX];
};

struct status vault_create(const char *dir, const struct secret *slot_key)
{
    OWNED(fd) int dir_fd = -1;
    OWNED(fd) int lock_fd = -1;

    TRY(file_open_dir(dir, true, &dir_fd));
    TRY(file_lock(dir_fd, "lock", &lock_fd));
    return seal_create(dir_fd, slot_key);
}

static struct status next_fence(struct shard_store *store, uint32_t *ret_fence)
{
    uint32_t last = 0;
    struct status status = store->methods->epoch_last(store, &last);

    if (!status_ok(status) && status.code != STATUS_NOT_FOUND) {
        return status;
    }
    *ret_fence = last + 1;
    return OK;
}

static struct status open_kv(struct vault *vault, const struct vault_options *options)
{
    struct kv_options kv = {
        .db_uuid = *seal_vault_uuid(vault->seal),
        .deks = vault->deks,
        .deks_count = seal_sek_count(vault->seal),
        .on_fatal = options->on_fatal,
        .on_fatal_context = options->on_fatal_context,
    };

    for (size_t i = 0; i < kv.deks_count; i++) {
        vault->deks[i].key = seal_sek(vault->seal, i, &vault->deks[i].version);
    }
    TRY(next_fence(vault->store, &kv.fence));
    return kv_open(vault->store, &kv, &vault->kv);
}

static struct status open_store(struct vault *vault, const struct vault_options *options)
{
    char path[4096];

    if (snprintf(path, sizeof(path), "%s/kv", options->dir) >= (int)sizeof(path)) {
        return FAIL(INVALID, "path of the vault is too long");
    }
    struct shard_store_embedded_options store = {
        .segment_size = SEGMENT_BYTES, .space_reserve = SPACE_RESERVE, .map_size = MAP_BYTES};
    return shard_store_embedded_open(path, &store, &vault->store);
}

struct status vault_open(const struct vault_options *options, struct vault **ret_vault)
{
    OWNED(vault) struct vault *vault = calloc(1, sizeof(*vault));
    if (vault == NULL) {
        return FAIL(NO_MEMORY, "vault");
    }
    vault->dir_fd = -1;
    vault->lock_fd = -1;
    TRY(file_open_dir(options->dir, false, &vault->dir_fd));
    TRY(file_lock(vault->dir_fd, "lock", &vault->lock_fd));
    TRY(seal_open(vault->dir_fd, options->slot_key, &vault->seal));
    TRY(open_store(vault, options));
    TRY(open_kv(vault, options));
    *ret_vault = TAKE(vault);
    return OK;
}

void vault_free(struct vault *vault)
{
    if (vault == NULL) {
        return;
    }
    kv_free(vault->kv);
    shard_store_free(vault->store);
    seal_free(vault->seal);
    fd_release(&vault->lock_fd);
    fd_release(&vault->dir_fd);
    free(vault);
}

const struct secret *vault_root(const struct vault *vault)
{
    return seal_root(vault->seal);
}

struct status vault_get(struct vault *vault, struct bytes key, struct buffer *value)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    struct bytes found;

    TRY(kv_snapshot_take(vault->kv, &snapshot));
    TRY(kv_snapshot_get(snapshot, key, &found));
    buffer_add(value, found);
    return buffer_status(value);
}

struct status vault_apply(struct vault *vault, kv_plan_fn *plan, void *arg)
{
    return kv_apply(vault->kv, plan, arg, clock_monotonic_ms() + APPLY_MS, NULL);
}

struct one_row {
    struct bytes key;
    struct bytes value;
};

static struct status put_one(struct kv_view *view, void *arg)
{
    const struct one_row *row = arg;

    return kv_view_put(view, row->key, row->value);
}

struct status vault_put(struct vault *vault, struct bytes key, struct bytes value)
{
    struct one_row row = {key, value};

    return vault_apply(vault, put_one, &row);
}

struct status vault_walk(struct vault *vault, struct bytes prefix, vault_row_fn *row, void *context)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;

    TRY(kv_snapshot_take(vault->kv, &snapshot));
    TRY(kv_cursor_seek(snapshot, prefix, &cursor));
    for (;;) {
        struct bytes key;
        struct bytes value;
        struct status status = kv_cursor_next(cursor, &key, &value);
        if (status.code == STATUS_NOT_FOUND) {
            return OK;
        }
        TRY(status);
        if (!bytes_starts_with(key, prefix)) {
            return OK;
        }
        TRY(row(context, key, value));
    }
}

static struct status count_row(void *context, struct bytes key, struct bytes value)
{
    uint32_t *count = context;

    (void)key;
    (void)value;
    *count += 1;
    return OK;
}

struct status vault_count(struct vault *vault, struct bytes prefix, uint32_t *ret_count)
{
    *ret_count = 0;
    return vault_walk(vault, prefix, count_row, ret_count);
}
