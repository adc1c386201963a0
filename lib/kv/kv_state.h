#pragma once

/* What the parts of a kv share: kv.c (open, replay), kv_writer.c, kv_view.c, kv_snapshot.c. */

#include "lib/base/task.h"
#include "lib/kv/kv.h"
#include "lib/kv/kv_epoch.h"
#include "lib/kv/kv_log.h"
#include "lib/kv/kv_tree.h"

enum { KV_ARENA_MAX = 256 * 1024 * 1024 };

/* A version that somebody reads. In the list of its kv, oldest first. */
struct kv_snapshot {
    struct kv *kv;
    struct kv_root root;
    uint64_t version;
    uint64_t seq;
    struct kv_snapshot *next;
    struct kv_snapshot *previous;
};

/* Blocks that versions below `version` need. */
struct kv_garbage {
    uint64_t version;
    struct kv_block *retired; /* Owned. */
    struct kv_garbage *next;
};

/* A plan on its way; lives on the caller's stack. */
struct kv_item {
    kv_plan_fn *plan;
    void *arg;
    int64_t deadline_ms;
    struct kv_item *next;
    struct kv_item *previous;
    bool is_taken; /* By the writer: the caller waits without a deadline. */
    bool is_done;
    struct status status;
    uint64_t seq;
    pthread_cond_t done;
};

struct kv {
    struct shard_store *store; /* Outlives us. */
    struct id16 db;
    uint32_t fence;
    size_t memory_max;
    void (*on_fatal)(void *context, struct status status);
    void *on_fatal_context;
    struct aead *log_key; /* Owned; the writer's. */

    /* The writer's. */
    struct buffer record;
    struct kv_log_link link;
    uint64_t sealed_seq; /* Highest given to a sealing, stored or not: no iv twice. */
    uint64_t next_id;
    uint64_t next_token;
    uint64_t next_group;
    struct task writer;

    pthread_mutex_t queue_mutex;
    pthread_cond_t queue_filled;
    struct kv_item *queue_first;
    struct kv_item *queue_last;
    bool is_stopping;
    bool is_failed; /* The store failed for good. */

    pthread_mutex_t version_mutex;
    struct kv_root root;
    uint64_t version;
    struct kv_log_link durable;
    struct kv_snapshot *oldest;
    struct kv_snapshot *newest;
    struct kv_garbage *garbage_first;
    struct kv_garbage *garbage_last;
    struct kv_stats stats;
};

struct kv_view {
    struct kv_edit edit;
    struct buffer *record; /* Of the group; NULL in a dry run. */
    uint64_t seq;
    size_t memory_max;
    size_t rows;
    size_t bytes;
    struct status failed; /* Of a change: the plan cannot succeed any more. */
    struct arena arena;
};

/* kv_view.c: run a plan once; its status, or that of a change it ignored. */
MUST_CHECK struct status kv_view_run(struct kv_view *view, kv_plan_fn *plan, void *arg);

/* kv_snapshot.c */
void kv_snapshot_enter(struct kv *kv, struct kv_snapshot *snapshot);
void kv_snapshot_leave(struct kv_snapshot *snapshot);
/* Make root the version that readers see; garbage (may be NULL, becomes ours) is what only the
 * versions before need. */
void kv_snapshot_publish(
    struct kv *kv, struct kv_root root, struct kv_garbage *garbage, const struct kv_stats *added);
/* At the end, when nobody reads. */
void kv_snapshot_free_garbage(struct kv *kv);

/* kv_writer.c */
void kv_writer_run(void *context);
