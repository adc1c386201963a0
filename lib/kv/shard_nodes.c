#include "lib/kv/shard_nodes.h"

#include "lib/base/encode.h"
#include "lib/base/file.h"

#include <fcntl.h>
#include <stdlib.h>

#include <lmdb.h>

enum { BATCH = 4096, KEY_MAX = 9, READERS_MAX = 512, MODE = 0600 };

struct shard_nodes {
    MDB_env *env; /* Owned. */
    MDB_dbi dbi;
};

struct key {
    uint8_t data[KEY_MAX];
    size_t size;
};

static struct key epoch_key(uint32_t fence)
{
    struct key key = {.data = {'E'}, .size = 5};
    encode_u32(key.data + 1, fence);
    return key;
}

static struct key node_key(uint64_t id)
{
    struct key key = {.data = {'N'}, .size = 9};
    encode_u64(key.data + 1, id);
    return key;
}

static struct key root_key(void)
{
    return (struct key){.data = {'R'}, .size = 1};
}

static MDB_val val_of(struct bytes bytes)
{
    /* LMDB reads only; its type has no const. */
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)(uintptr_t)bytes.data};
}

static struct status status_of(int error)
{
    switch (error) {
    case MDB_SUCCESS:
        return OK;
    case MDB_NOTFOUND:
        return FAIL(NOT_FOUND, "entry of store");
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return FAIL(FULL, "nodes of store");
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return FAIL(CORRUPT, "LMDB");
    default:
        return error > 0 ? FAIL_ERRNO(error, "LMDB") : FAIL(IO, "LMDB");
    }
}

static void txn_release(MDB_txn **txn)
{
    if (*txn != NULL) {
        mdb_txn_abort(*txn);
    }
}

#define TXN(name) __attribute__((cleanup(txn_release))) MDB_txn *name = NULL

static struct status txn_begin(struct shard_nodes *nodes, bool is_writing, MDB_txn **ret_txn)
{
    return status_of(mdb_txn_begin(nodes->env, NULL, is_writing ? 0 : MDB_RDONLY, ret_txn));
}

static struct status txn_commit(MDB_txn **txn)
{
    MDB_txn *ended = *txn;
    *txn = NULL;
    return status_of(mdb_txn_commit(ended));
}

static struct status
put(struct shard_nodes *nodes, MDB_txn *txn, struct key key, struct bytes value)
{
    MDB_val name = val_of(bytes_of(key.data, key.size));
    MDB_val data = val_of(value);
    return status_of(mdb_put(txn, nodes->dbi, &name, &data, 0));
}

/* Removing what is not there is no error. */
static struct status del(struct shard_nodes *nodes, MDB_txn *txn, struct key key)
{
    MDB_val name = val_of(bytes_of(key.data, key.size));
    int error = mdb_del(txn, nodes->dbi, &name, NULL);
    return error == MDB_NOTFOUND ? OK : status_of(error);
}

static struct status get(struct shard_nodes *nodes, struct key key, struct buffer *value)
{
    TXN(txn);
    TRY(txn_begin(nodes, false, &txn));
    MDB_val name = val_of(bytes_of(key.data, key.size));
    MDB_val data;
    TRY(status_of(mdb_get(txn, nodes->dbi, &name, &data)));
    buffer_add(value, bytes_of(data.mv_data, data.mv_size));
    return buffer_status(value);
}

static struct status open_env(struct shard_nodes *nodes, const char *path, uint64_t map_size)
{
    TRY(status_of(mdb_env_create(&nodes->env)));
    TRY(status_of(mdb_env_set_mapsize(nodes->env, (size_t)map_size)));
    TRY(status_of(mdb_env_set_maxreaders(nodes->env, READERS_MAX)));
    TRY(status_of(mdb_env_open(nodes->env, path, 0, MODE)));
    TXN(txn);
    TRY(txn_begin(nodes, true, &txn));
    TRY(status_of(mdb_dbi_open(txn, NULL, 0, &nodes->dbi)));
    TRY(txn_commit(&txn));
    /* LMDB syncs its file but not the file's name. */
    OWNED(fd) int fd = -1;
    TRY(file_open_dir(path, false, &fd));
    return file_sync_dir(fd);
}

struct status shard_nodes_open(const char *path, uint64_t map_size, struct shard_nodes **ret_nodes)
{
    OWNED(shard_nodes) struct shard_nodes *nodes = calloc(1, sizeof(*nodes));
    if (nodes == NULL) {
        return FAIL(NO_MEMORY, "nodes of store");
    }
    TRY(open_env(nodes, path, map_size));
    *ret_nodes = TAKE(nodes);
    return OK;
}

void shard_nodes_free(struct shard_nodes *nodes)
{
    if (nodes != NULL && nodes->env != NULL) {
        mdb_env_close(nodes->env);
    }
    free(nodes);
}

struct status shard_nodes_epoch_last(struct shard_nodes *nodes, uint32_t *ret_fence)
{
    TXN(txn);
    TRY(txn_begin(nodes, false, &txn));
    MDB_cursor *cursor;
    TRY(status_of(mdb_cursor_open(txn, nodes->dbi, &cursor)));
    uint8_t behind = 'E' + 1;
    MDB_val key = val_of(bytes_of(&behind, 1));
    MDB_val value;
    int error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    error = mdb_cursor_get(cursor, &key, &value, error == 0 ? MDB_PREV : MDB_LAST);
    const uint8_t *found = key.mv_data;
    bool is_epoch = error == 0 && key.mv_size == 5 && found[0] == 'E';
    if (is_epoch) {
        *ret_fence = decode_u32(found + 1);
    }
    mdb_cursor_close(cursor);
    return error == 0 && !is_epoch ? FAIL(NOT_FOUND, "no epoch") : status_of(error);
}

struct status shard_nodes_fence(struct shard_nodes *nodes, uint32_t fence, struct bytes row)
{
    uint32_t last;
    struct status status = shard_nodes_epoch_last(nodes, &last);
    if (status.code != STATUS_NOT_FOUND) {
        TRY(status);
        if (last >= fence) {
            return FAIL(STALE, "fence");
        }
    }
    TXN(txn);
    TRY(txn_begin(nodes, true, &txn));
    TRY(put(nodes, txn, epoch_key(fence), row));
    return txn_commit(&txn);
}

struct status shard_nodes_epoch_get(struct shard_nodes *nodes, uint32_t fence, struct buffer *row)
{
    return get(nodes, epoch_key(fence), row);
}

struct status shard_nodes_get(struct shard_nodes *nodes, uint64_t id, struct buffer *node)
{
    return get(nodes, node_key(id), node);
}

/* Batches, because LMDB's transactions have a bound. */
static struct status change_batch(
    struct shard_nodes *nodes, const uint64_t *ids, const struct bytes *values, size_t count)
{
    TXN(txn);
    TRY(txn_begin(nodes, true, &txn));
    for (size_t i = 0; i < count; i++) {
        TRY(values != NULL ? put(nodes, txn, node_key(ids[i]), values[i])
                           : del(nodes, txn, node_key(ids[i])));
    }
    return txn_commit(&txn);
}

struct status shard_nodes_put(
    struct shard_nodes *nodes, const uint64_t *ids, const struct bytes *values, size_t count)
{
    for (size_t at = 0; at < count; at += BATCH) {
        size_t size = count - at < BATCH ? count - at : BATCH;
        TRY(change_batch(nodes, ids + at, values + at, size));
    }
    return OK;
}

struct status shard_nodes_remove(struct shard_nodes *nodes, const uint64_t *ids, size_t count)
{
    for (size_t at = 0; at < count; at += BATCH) {
        TRY(change_batch(nodes, ids + at, NULL, count - at < BATCH ? count - at : BATCH));
    }
    return OK;
}

/* The ids from first on, at most BATCH. */
static struct status
list(struct shard_nodes *nodes, uint64_t first, uint64_t *ids, size_t *ret_count)
{
    TXN(txn);
    TRY(txn_begin(nodes, false, &txn));
    MDB_cursor *cursor;
    TRY(status_of(mdb_cursor_open(txn, nodes->dbi, &cursor)));
    struct key from = node_key(first);
    MDB_val key = val_of(bytes_of(from.data, from.size));
    MDB_val value;
    size_t count = 0;
    int error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (error == 0 && count < BATCH) {
        const uint8_t *found = key.mv_data;
        if (key.mv_size != from.size || found[0] != 'N') {
            break;
        }
        ids[count++] = decode_u64(found + 1);
        error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    *ret_count = count;
    return error == MDB_NOTFOUND ? OK : status_of(error);
}

struct status shard_nodes_trim(struct shard_nodes *nodes, uint64_t first)
{
    for (;;) {
        uint64_t ids[BATCH];
        size_t count;
        TRY(list(nodes, first, ids, &count));
        if (count == 0) {
            return OK;
        }
        TRY(change_batch(nodes, ids, NULL, count));
    }
}

struct status shard_nodes_root_set(struct shard_nodes *nodes, struct bytes root, uint64_t trim)
{
    BUFFER(value, 1024 * 1024);
    buffer_add_u64(&value, trim);
    buffer_add(&value, root);
    TRY(buffer_status(&value));
    TXN(txn);
    TRY(txn_begin(nodes, true, &txn));
    TRY(put(nodes, txn, root_key(), buffer_bytes(&value)));
    return txn_commit(&txn);
}

struct status
shard_nodes_root_get(struct shard_nodes *nodes, struct buffer *root, uint64_t *ret_trim)
{
    BUFFER(value, 1024 * 1024);
    TRY(get(nodes, root_key(), &value));
    if (value.size < 8) {
        return FAIL(CORRUPT, "root of store");
    }
    if (ret_trim != NULL) {
        *ret_trim = decode_u64(value.data);
    }
    if (root == NULL) {
        return OK;
    }
    buffer_add(root, bytes_from(buffer_bytes(&value), 8));
    return buffer_status(root);
}

struct status shard_nodes_flags(struct shard_nodes *nodes, unsigned *ret_flags)
{
    return status_of(mdb_env_get_flags(nodes->env, ret_flags));
}
