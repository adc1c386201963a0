#pragma once

/*
 * An ordered map on a sealed log (DESIGN 7, FORMATS 8): one writer, group commit, snapshots.
 *
 * Every change is a plan: a pure function of (view, arg) without clock, random or I/O. kv_apply
 * runs it first on a snapshot (errors answer early), then on the writer thread, where it decides.
 * A group of plans becomes one sealed log record, synced, and only then visible and acknowledged.
 * Keys have 1 to 1,200 bytes, values 0 to 64 KiB; a plan writes at most 24,000 rows and 8 MiB.
 * Everything but kv_open and kv_free may be called by any thread.
 */

#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/crypto/secret.h"
#include "lib/format/ids.h"
#include "lib/kv/shard_store.h"

enum {
    KV_KEY_MAX = 1200,
    KV_VALUE_MAX = 64 * 1024,
    KV_PLAN_ROWS_MAX = 24000,
    KV_PLAN_BYTES_MAX = 8 * 1024 * 1024,
    KV_GROUP_MAX = 64,
};

struct kv;
struct kv_view;

/* What a log chain has reached: (fence, seq, tag of the last record). */
struct kv_anchor {
    uint32_t fence;
    uint64_t seq;
    uint8_t chain_tag[16];
};

struct kv_dek {
    uint32_t version;
    const struct secret *key; /* DEK_v, 32 bytes. Outlives the kv. */
};

struct kv_options {
    struct id16 db_uuid;
    const struct kv_dek *deks; /* Live versions; new records are sealed under the last. */
    size_t deks_count;
    uint32_t fence;          /* Of this open: above every epoch row in the store. */
    struct kv_anchor lowest; /* CORRUPT if the log ends below it (all zero: unknown). */
    size_t memory_max;       /* Bytes of rows kept; FULL beyond. 0: no bound. */
    /* Called on the writer thread when the store failed for good: the process must end. */
    void (*on_fatal)(void *context, struct status status);
    void *on_fatal_context;
};

/*
 * Write the epoch row (durable) and replay. A torn last record is cut; a bad record with a valid
 * later one, or an end below lowest, is CORRUPT.
 */
MUST_CHECK struct status
kv_open(struct shard_store *store, const struct kv_options *options, struct kv **ret_kv);
void kv_free(struct kv *kv);

typedef struct status kv_plan_fn(struct kv_view *view, void *arg);

/*
 * Run a plan and wait until it is durable. Its own error is returned and nothing is written.
 * TIMEOUT before the writer took it: nothing happened. UNKNOWN: the store failed at the commit.
 * ret_seq (may be NULL): the commit sequence, unique and rising, one for each plan. The plan may
 * run more than once; only its last run counts, and arg's outputs are those of that run.
 */
MUST_CHECK struct status
kv_apply(struct kv *kv, kv_plan_fn *plan, void *arg, int64_t deadline_ms, uint64_t *ret_seq);

/* In a plan: reads see the plan's own writes. Views returned live until the plan returns. */
MUST_CHECK struct status kv_view_get(struct kv_view *view, struct bytes key, struct bytes *ret);
/* The first row with key >= from that starts with prefix; NOT_FOUND at the end. */
MUST_CHECK struct status kv_view_seek(
    struct kv_view *view, struct bytes from, struct bytes prefix, struct bytes *ret_key,
    struct bytes *ret_value);
MUST_CHECK struct status kv_view_put(struct kv_view *view, struct bytes key, struct bytes value);
/* Deleting what is not there is no error. */
MUST_CHECK struct status kv_view_delete(struct kv_view *view, struct bytes key);
/* The sequence that this plan will have: to stamp versions. */
uint64_t kv_view_seq(const struct kv_view *view);
/* Memory that lives until the plan returns. */
struct arena *kv_view_arena(struct kv_view *view);

/* A snapshot of what is durable: cheap to take, never blocks the writer. */
struct kv_snapshot;
MUST_CHECK struct status kv_snapshot_take(struct kv *kv, struct kv_snapshot **ret_snapshot);
void kv_snapshot_free(struct kv_snapshot *snapshot);
/* Views live as long as the snapshot. */
MUST_CHECK struct status
kv_snapshot_get(struct kv_snapshot *snapshot, struct bytes key, struct bytes *ret_value);

/* Walk rows in key order from the first >= from. */
struct kv_cursor;
MUST_CHECK struct status
kv_cursor_seek(struct kv_snapshot *snapshot, struct bytes from, struct kv_cursor **ret_cursor);
/* NOT_FOUND at the end. */
MUST_CHECK struct status
kv_cursor_next(struct kv_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value);
void kv_cursor_free(struct kv_cursor *cursor);

/* What is durable now. */
void kv_anchor_get(struct kv *kv, struct kv_anchor *ret_anchor);

/* Figures for metrics: records appended, syncs, plans, rows, bytes of rows. */
struct kv_stats {
    uint64_t groups;
    uint64_t plans;
    uint64_t rows;
    uint64_t row_bytes;
    uint64_t log_bytes;
};
void kv_stats_get(struct kv *kv, struct kv_stats *ret_stats);

/* Walk the whole tree and check its order and figures; CORRUPT if a rule is broken. */
MUST_CHECK struct status kv_check(struct kv *kv);

DEFINE_OWNED(kv)
DEFINE_OWNED(kv_snapshot)
DEFINE_OWNED(kv_cursor)
