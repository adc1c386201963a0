#include "lib/kv/kv.h"

#include "lib/base/check.h"
#include "lib/kv/kv_state.h"

#include <stdlib.h>

/* Opening: the fence, the replay of the log, the anchor. */

enum { ID_COUNTER_BITS = 44, FENCE_MAX = (1 << 20) - 1 };

/* The replay of a log, record by record. */
struct replay {
    struct kv *kv;
    const struct kv_options *options;
    struct kv_edit edit; /* One for all: nothing of it is visible before the end. */
    struct aead *key;    /* Owned; of fence. */
    uint32_t fence;
    bool is_lowest_seen;
};

static struct status check_options(const struct kv_options *options)
{
    if (options->deks_count == 0 || options->fence == 0 || options->fence > FENCE_MAX) {
        return FAIL(INVALID, "options of kv");
    }
    for (size_t i = 0; i < options->deks_count; i++) {
        if (secret_size(options->deks[i].key) != SECRET_KEY_SIZE) {
            return FAIL(INVALID, "size of DEK");
        }
    }
    return OK;
}

static struct status
kv_new(struct shard_store *store, const struct kv_options *options, struct kv **ret_kv)
{
    struct kv *kv = calloc(1, sizeof(*kv));
    if (kv == NULL) {
        return FAIL(NO_MEMORY, "kv");
    }
    kv->store = store;
    kv->db = options->db_uuid;
    kv->fence = options->fence;
    kv->memory_max = options->memory_max;
    kv->on_fatal = options->on_fatal;
    kv->on_fatal_context = options->on_fatal_context;
    kv->next_id = (uint64_t)options->fence << ID_COUNTER_BITS | 1;
    kv->next_token = 1;
    kv->next_group = 1;
    buffer_init(&kv->record, KV_LOG_RECORD_MAX);
    pthread_mutex_init(&kv->queue_mutex, NULL);
    task_condition_init(&kv->queue_filled);
    pthread_mutex_init(&kv->version_mutex, NULL);
    *ret_kv = kv;
    return OK;
}

static struct status
epoch_key(struct kv *kv, const struct kv_options *options, uint32_t fence, struct aead **ret_key)
{
    BUFFER(row, KV_EPOCH_SIZE);
    struct status status = kv->store->methods->epoch_get(kv->store, fence, &row);
    if (status.code == STATUS_NOT_FOUND || status.code == STATUS_TOO_LARGE) {
        return FAIL(CORRUPT, "epoch row of a log record");
    }
    TRY(status);
    return kv_epoch_open(
        &kv->db, fence, options->deks, options->deks_count, buffer_bytes(&row), ret_key);
}

/* What is there must be ours and not older than the anchor, before anything is written to it. */
static struct status check_epoch(struct kv *kv, const struct kv_options *options)
{
    uint32_t last;
    struct status status = kv->store->methods->epoch_last(kv->store, &last);
    if (status.code == STATUS_NOT_FOUND) {
        return options->lowest.fence == 0 ? OK : FAIL(CORRUPT, "database is older than its anchor");
    }
    TRY(status);
    if (last >= options->fence) {
        return FAIL(STALE, "fence of kv");
    }
    if (last < options->lowest.fence) {
        return FAIL(CORRUPT, "database is older than its anchor");
    }
    OWNED(aead) struct aead *key = NULL;
    return epoch_key(kv, options, last, &key);
}

static struct status start_epoch(struct kv *kv, const struct kv_options *options)
{
    const struct kv_dek *dek = &options->deks[options->deks_count - 1];
    uint8_t row[KV_EPOCH_SIZE];
    TRY(kv_epoch_make(&kv->db, kv->fence, dek, row));
    TRY(kv->store->methods->fence(kv->store, kv->fence, BYTES_ARRAY(row)));
    return kv_epoch_open(&kv->db, kv->fence, dek, 1, BYTES_ARRAY(row), &kv->log_key);
}

static void see_lowest(struct replay *replay)
{
    const struct kv_anchor *lowest = &replay->options->lowest;
    const struct kv_log_link *link = &replay->kv->link;
    if (link->seq == lowest->seq && memcmp(link->tag, lowest->chain_tag, KV_LOG_TAG) == 0) {
        replay->is_lowest_seen = true;
    }
}

static struct status replay_rows(struct replay *replay, struct bytes plaintext)
{
    struct kv_log_reader reader;
    TRY(kv_log_rows(plaintext, &reader));
    for (;;) {
        struct kv_log_row row;
        bool is_end;
        TRY(kv_log_next(&reader, &row, &is_end));
        if (is_end) {
            return OK;
        }
        bool was_there;
        TRY(row.op == KV_LOG_PUT ? kv_tree_put(&replay->edit, row.key, row.value)
                                 : kv_tree_delete(&replay->edit, row.key, &was_there));
    }
}

static struct status replay_record(struct replay *replay, struct buffer *record)
{
    uint32_t fence;
    TRY(kv_log_fence(buffer_bytes(record), &fence));
    if (fence == 0 || fence < replay->fence || fence >= replay->kv->fence) {
        return FAIL(CORRUPT, "fence of log record");
    }
    if (fence != replay->fence) {
        aead_free(TAKE(replay->key));
        replay->fence = fence;
        TRY(epoch_key(replay->kv, replay->options, fence, &replay->key));
    }
    struct bytes plaintext;
    TRY(kv_log_open(replay->key, &replay->kv->db, record, &replay->kv->link, &plaintext));
    see_lowest(replay);
    return replay_rows(replay, plaintext);
}

static struct status replay_log(struct replay *replay)
{
    struct shard_store *store = replay->kv->store;
    shard_position position = 0;
    BUFFER(record, KV_LOG_RECORD_MAX);
    see_lowest(replay);
    for (;;) {
        bool is_torn = false;
        buffer_reset(&record);
        struct status status = store->methods->log_read(store, &position, &record, &is_torn);
        if (status.code == STATUS_NOT_FOUND) {
            if (is_torn) {
                TRY(store->methods->log_cut(store, position));
            }
            break;
        }
        TRY(status);
        TRY(replay_record(replay, &record));
        replay->kv->stats.log_bytes += record.size;
    }
    if (!replay->is_lowest_seen) {
        return FAIL(CORRUPT, "log does not reach its anchor");
    }
    return OK;
}

static struct status replay_all(struct kv *kv, const struct kv_options *options)
{
    struct kv_tree_group group = {.number = kv->next_group++, .next_id = &kv->next_id};
    struct replay replay = {.kv = kv, .options = options};
    kv_tree_edit_begin(&replay.edit, &group, kv->next_token++);
    struct status status = replay_log(&replay);
    aead_free(replay.key);
    if (!status_ok(status)) {
        kv_tree_edit_undo(&replay.edit);
        return status;
    }
    kv_tree_edit_keep(&replay.edit);
    kv->root = group.root;
    kv->durable = kv->link;
    kv->sealed_seq = kv->link.seq;
    return OK;
}

struct status
kv_open(struct shard_store *store, const struct kv_options *options, struct kv **ret_kv)
{
    TRY(check_options(options));
    OWNED(kv) struct kv *kv = NULL;
    TRY(kv_new(store, options, &kv));
    kv_log_begin(&kv->record); /* From now on there is room for the head of a record. */
    TRY(buffer_status(&kv->record));
    TRY(check_epoch(kv, options));
    TRY(start_epoch(kv, options));
    TRY(replay_all(kv, options));
    TRY(task_start(&kv->writer, "kv-writer", kv_writer_run, kv));
    *ret_kv = TAKE(kv);
    return OK;
}

static void stop(struct kv *kv)
{
    LOCKED(&kv->queue_mutex);
    kv->is_stopping = true;
    pthread_cond_broadcast(&kv->queue_filled);
}

void kv_free(struct kv *kv)
{
    if (kv == NULL) {
        return;
    }
    stop(kv);
    task_join(&kv->writer);
    CHECK(kv->oldest == NULL && kv->queue_first == NULL);
    kv_snapshot_free_garbage(kv);
    kv_tree_free(&kv->root);
    aead_free(kv->log_key);
    buffer_done(&kv->record);
    pthread_cond_destroy(&kv->queue_filled);
    pthread_mutex_destroy(&kv->queue_mutex);
    pthread_mutex_destroy(&kv->version_mutex);
    free(kv);
}

void kv_anchor_get(struct kv *kv, struct kv_anchor *ret_anchor)
{
    LOCKED(&kv->version_mutex);
    ret_anchor->fence = kv->fence;
    ret_anchor->seq = kv->durable.seq;
    memcpy(ret_anchor->chain_tag, kv->durable.tag, sizeof(ret_anchor->chain_tag));
}

void kv_stats_get(struct kv *kv, struct kv_stats *ret_stats)
{
    LOCKED(&kv->version_mutex);
    *ret_stats = kv->stats;
    ret_stats->rows = kv->root.rows;
    ret_stats->row_bytes = kv->root.row_bytes;
}

struct status kv_check(struct kv *kv)
{
    struct kv_snapshot snapshot;
    kv_snapshot_enter(kv, &snapshot);
    struct status status = kv_tree_check(&snapshot.root);
    kv_snapshot_leave(&snapshot);
    return status;
}
