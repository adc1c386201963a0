#include "lib/kv/shard_store_memory.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/map.h"

#include <stdlib.h>

enum { ROW_MAX = 64 * 1024 * 1024 };

struct blob {
    size_t size;
    uint8_t data[];
};

struct epoch {
    uint32_t fence;
    struct blob *row; /* Owned. */
};

struct memory {
    struct shard_store base;
    struct epoch *epochs; /* Owned. */
    size_t epochs_count;
    struct blob **log; /* Owned, each too; NULL below first. */
    size_t log_first;
    size_t log_count;
    struct blob *pending; /* Owned: an append that failed. */
    struct map *nodes;    /* Owned, values too. */
    struct blob *root;    /* Owned. */
    unsigned fail_after;  /* Countdown; 0: no failure. */
    bool is_full;
    bool is_broken;
    bool is_torn;
};

static struct memory *memory_of(struct shard_store *store)
{
    return (struct memory *)store;
}

static struct blob *blob_new(struct bytes bytes)
{
    struct blob *blob = malloc(sizeof(*blob) + bytes.size);
    if (blob != NULL) {
        blob->size = bytes.size;
        if (bytes.size > 0) {
            memcpy(blob->data, bytes.data, bytes.size);
        }
    }
    return blob;
}

static struct status blob_give(const struct blob *blob, struct buffer *to)
{
    if (blob == NULL) {
        return FAIL(NOT_FOUND, "entry of store");
    }
    buffer_add(to, bytes_of(blob->data, blob->size));
    return buffer_status(to);
}

static struct status check_alive(const struct memory *memory)
{
    return memory->is_broken ? FAIL(IO, "store has failed") : OK;
}

static struct status memory_fence(struct shard_store *store, uint32_t fence, struct bytes epoch_row)
{
    struct memory *memory = memory_of(store);
    TRY(check_alive(memory));
    if (memory->epochs_count > 0 && memory->epochs[memory->epochs_count - 1].fence >= fence) {
        return FAIL(STALE, "fence");
    }
    struct epoch *more =
        realloc(memory->epochs, (memory->epochs_count + 1) * sizeof(*memory->epochs));
    if (more == NULL) {
        return FAIL(NO_MEMORY, "epochs");
    }
    memory->epochs = more;
    struct blob *row = blob_new(epoch_row);
    if (row == NULL) {
        return FAIL(NO_MEMORY, "epoch row");
    }
    memory->epochs[memory->epochs_count++] = (struct epoch){fence, row};
    return OK;
}

static struct status memory_epoch_get(struct shard_store *store, uint32_t fence, struct buffer *row)
{
    const struct memory *memory = memory_of(store);
    for (size_t i = 0; i < memory->epochs_count; i++) {
        if (memory->epochs[i].fence == fence) {
            return blob_give(memory->epochs[i].row, row);
        }
    }
    return FAIL(NOT_FOUND, "epoch row");
}

static struct status memory_epoch_last(struct shard_store *store, uint32_t *ret_fence)
{
    const struct memory *memory = memory_of(store);
    if (memory->epochs_count == 0) {
        return FAIL(NOT_FOUND, "no epoch");
    }
    *ret_fence = memory->epochs[memory->epochs_count - 1].fence;
    return OK;
}

static struct status log_add(struct memory *memory, struct blob *record)
{
    struct blob **more = realloc(memory->log, (memory->log_count + 1) * sizeof(struct blob *));
    if (more == NULL) {
        return FAIL(NO_MEMORY, "log");
    }
    memory->log = more;
    memory->log[memory->log_count++] = record;
    return OK;
}

static struct status memory_log_append(struct shard_store *store, struct bytes record)
{
    struct memory *memory = memory_of(store);
    TRY(check_alive(memory));
    CHECK(!memory->is_torn); /* It was to be cut first. */
    if (memory->is_full) {
        return FAIL(FULL, "store");
    }
    struct blob *blob = blob_new(record);
    if (blob == NULL) {
        return FAIL(NO_MEMORY, "record");
    }
    if (memory->fail_after > 0 && --memory->fail_after == 0) {
        memory->pending = blob;
        memory->is_broken = true;
        return FAIL(IO, "append");
    }
    struct status status = log_add(memory, blob);
    if (!status_ok(status)) {
        free(blob);
    }
    return status;
}

static struct status memory_log_read(
    struct shard_store *store, shard_position *position, struct buffer *record, bool *ret_torn)
{
    const struct memory *memory = memory_of(store);
    size_t at = *position < memory->log_first ? memory->log_first : (size_t)*position;
    if (at >= memory->log_count) {
        *ret_torn = memory->is_torn;
        *position = at;
        return FAIL(NOT_FOUND, "end of log");
    }
    TRY(blob_give(memory->log[at], record));
    *position = at + 1;
    return OK;
}

static struct status memory_log_cut(struct shard_store *store, shard_position end)
{
    struct memory *memory = memory_of(store);
    CHECK(end == memory->log_count);
    memory->is_torn = false;
    return OK;
}

static struct status memory_nodes_put(
    struct shard_store *store, const uint64_t *ids, const struct bytes *nodes, size_t count)
{
    struct memory *memory = memory_of(store);
    TRY(check_alive(memory));
    for (size_t i = 0; i < count; i++) {
        struct blob *blob = blob_new(nodes[i]);
        if (blob == NULL) {
            return FAIL(NO_MEMORY, "node");
        }
        uint8_t key[8];
        encode_u64(key, ids[i]);
        void *old = NULL;
        struct status status = map_put(memory->nodes, key, blob, &old);
        free(status_ok(status) ? old : blob);
        TRY(status);
    }
    return OK;
}

static struct status memory_node_get(struct shard_store *store, uint64_t id, struct buffer *node)
{
    uint8_t key[8];
    encode_u64(key, id);
    return blob_give(map_get(memory_of(store)->nodes, key), node);
}

static struct status memory_root_set(
    struct shard_store *store, struct bytes root, shard_position trim, const uint64_t *dead,
    size_t dead_count)
{
    struct memory *memory = memory_of(store);
    TRY(check_alive(memory));
    struct blob *blob = blob_new(root);
    if (blob == NULL) {
        return FAIL(NO_MEMORY, "root");
    }
    free(memory->root);
    memory->root = blob;
    for (; memory->log_first < trim && memory->log_first < memory->log_count; memory->log_first++) {
        free(memory->log[memory->log_first]);
        memory->log[memory->log_first] = NULL;
    }
    for (size_t i = 0; i < dead_count; i++) {
        uint8_t key[8];
        encode_u64(key, dead[i]);
        free(map_remove(memory->nodes, key));
    }
    return OK;
}

static struct status memory_root_get(struct shard_store *store, struct buffer *root)
{
    return blob_give(memory_of(store)->root, root);
}

static struct status memory_nodes_trim(struct shard_store *store, uint64_t first)
{
    struct memory *memory = memory_of(store);
    size_t cursor = 0;
    const void *key;
    void *value;
    while (map_next(memory->nodes, &cursor, &key, &value)) {
        if (decode_u64(key) >= first) {
            uint8_t copy[8];
            memcpy(copy, key, sizeof(copy));
            free(map_remove(memory->nodes, copy));
        }
    }
    return OK;
}

static void memory_free(struct shard_store *store)
{
    struct memory *memory = memory_of(store);
    for (size_t i = 0; i < memory->epochs_count; i++) {
        free(memory->epochs[i].row);
    }
    for (size_t i = 0; i < memory->log_count; i++) {
        free(memory->log[i]);
    }
    IGNORE(memory_nodes_trim(store, 0)); /* It cannot fail. */
    map_free(memory->nodes);
    free(memory->epochs);
    free(memory->log);
    free(memory->pending);
    free(memory->root);
    free(memory);
}

static const struct shard_store_methods methods = {
    .fence = memory_fence,
    .epoch_get = memory_epoch_get,
    .epoch_last = memory_epoch_last,
    .log_append = memory_log_append,
    .log_read = memory_log_read,
    .log_cut = memory_log_cut,
    .nodes_put = memory_nodes_put,
    .node_get = memory_node_get,
    .root_set = memory_root_set,
    .root_get = memory_root_get,
    .nodes_trim = memory_nodes_trim,
    .free = memory_free,
};

struct status shard_store_memory_new(struct shard_store **ret_store)
{
    struct memory *memory = calloc(1, sizeof(*memory));
    if (memory == NULL) {
        return FAIL(NO_MEMORY, "memory store");
    }
    memory->base.methods = &methods;
    struct status status = map_new(8, &memory->nodes);
    if (!status_ok(status)) {
        free(memory);
        return status;
    }
    *ret_store = &memory->base;
    return OK;
}

void shard_store_memory_fail(struct shard_store *store, unsigned after)
{
    memory_of(store)->fail_after = after + 1;
}

void shard_store_memory_fill(struct shard_store *store, bool is_full)
{
    memory_of(store)->is_full = is_full;
}

void shard_store_memory_crash(struct shard_store *store, uint64_t seed)
{
    struct memory *memory = memory_of(store);
    if (memory->pending != NULL) {
        bool is_present = seed % 3 == 0 && status_ok(log_add(memory, memory->pending));
        if (!is_present) {
            free(memory->pending);
            memory->is_torn = seed % 3 == 1;
        }
        memory->pending = NULL;
    }
    memory->is_broken = false;
    memory->fail_after = 0;
}

size_t shard_store_memory_count(const struct shard_store *store)
{
    return ((const struct memory *)store)->log_count;
}

void shard_store_memory_flip(struct shard_store *store, size_t record, size_t byte)
{
    struct memory *memory = memory_of(store);
    CHECK(record < memory->log_count && memory->log[record] != NULL);
    memory->log[record]->data[byte % memory->log[record]->size] ^= 1;
}

void shard_store_memory_drop(struct shard_store *store, size_t record)
{
    struct memory *memory = memory_of(store);
    CHECK(record < memory->log_count);
    free(memory->log[record]);
    size_t behind = memory->log_count - record - 1;
    memmove(memory->log + record, memory->log + record + 1, behind * sizeof(struct blob *));
    memory->log_count--;
}

struct status shard_store_memory_swap(
    struct shard_store *store, size_t record, const struct shard_store *other, size_t from)
{
    struct memory *memory = memory_of(store);
    const struct memory *source = (const struct memory *)other;
    CHECK(record < memory->log_count && from < source->log_count);
    struct blob *copy = blob_new(bytes_of(source->log[from]->data, source->log[from]->size));
    if (copy == NULL) {
        return FAIL(NO_MEMORY, "record");
    }
    free(memory->log[record]);
    memory->log[record] = copy;
    return OK;
}
