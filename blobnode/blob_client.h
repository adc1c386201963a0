#pragma once

/*
 * The blob nodes as frontend and steward see them: accounts by their number, async put and get,
 * a few calls that wait.
 *
 * Two channels a node address (bulk and small), opened on demand and kept. Small items of one
 * (account, right) share calls: while one is in flight the next gather, and no timer delays any.
 * Larger ones go alone, at most BLOB_BULK_CALLS in flight a node; the rest queue in order.
 *
 * Any thread. done functions run on the rpc_client's polling thread (or, when a call could not
 * even start, on the submitting one): they must not block, but may submit more.
 *
 * The rpc_client needs message_max >= BLOB_MESSAGE_MAX and arena_max >= BLOB_ARENA_MAX.
 */

#include "blobnode/blob_outcome.h"
#include "lib/capability/token.h"
#include "lib/rpc/rpc_client.h"

enum {
    BLOB_SMALL_MAX = 65 * 1024, /* Items up to here share calls: 64 KiB and its tags. */
    BLOB_SMALL_SLICES = 4,      /* More slices: a call of its own. */
    BLOB_BULK_CALLS = 4,
    BLOB_DOWN_MS = 500,    /* Between a failure and a probe. */
    BLOB_SILENT_MS = 1200, /* Without any answer, while calls are in flight: not up. */
    BLOB_CUT_MS = 2500,    /* Silent while other nodes answer: its calls are cancelled. */
    BLOB_ARENA_MAX = 4 * 1024 * 1024,
};

struct blob_client;

struct blob_client_options {
    /*
     * A token with the one right perm for the account. Never blocks (the wallet fetches ahead);
     * UNAVAILABLE when there is none. Any thread.
     */
    struct status (*token)(
        void *context, const struct id16 *account, enum token_perm perm,
        uint8_t ret_token[TOKEN_SIZE]);
    /*
     * A reply named this keyset version: older than the wallet's, it is time to push. Called when
     * the version of an account was first seen or changed. Any thread, must not block. May be
     * NULL: see blob_client_keyset_version().
     */
    void (*on_keyset_version)(void *context, const struct id16 *account, uint64_t version);
    void *context; /* Outlives us. */
};

/* rpc_client outlives us. */
MUST_CHECK struct status blob_client_new(
    struct rpc_client *rpc_client, const struct blob_client_options *options,
    struct blob_client **ret_client);

/* Waits until every call has ended and its done function has returned: not from a done function. */
void blob_client_free(struct blob_client *client);

/* A row of the account directory; texts are copied. */
struct blob_account_row {
    struct id16 account;
    uint32_t number;
    const char *node_id;
    const char *address; /* host:port */
    const char *tls_name;
    bool is_gone; /* Calls answer NOT_FOUND. */
};

/*
 * Make the directory known: again whenever it changed. Rows are added and changed; one that is
 * missing stays, as calls may still name it (numbers are never used again).
 */
MUST_CHECK struct status blob_client_set_accounts(
    struct blob_client *client, const struct blob_account_row *rows, size_t count);

/* ---------------------------------------------------------------- without waiting */

/*
 * OK: the blob is durable there (STORED or SAME). CONFLICT: other bytes are (DIFFERS). STALE: it
 * is in the trash. FULL, CORRUPT, IO: as the outcome says. UNAVAILABLE, DENIED: not stored, unless
 * an earlier try was. TIMEOUT, UNKNOWN: perhaps stored; the same bytes may be sent again, also to
 * another account. outcome is BLOB_NONE where the node gave none.
 */
typedef void blob_put_done_fn(void *arg, struct status status, enum blob_outcome outcome);

/*
 * Put a blob if it is absent. The slices array is copied; each slice's release runs once, as in
 * rpc_payload.h: possibly long after done, and also when the call failed. done runs exactly once.
 */
void blob_client_put(
    struct blob_client *client, uint32_t number, const struct id16 *id,
    const struct rpc_slice *slices, size_t count, int64_t deadline_ms, blob_put_done_fn *done,
    void *arg);

/*
 * OK: pieces are exactly the bytes asked for, valid until done returns: copy them out with
 * rpc_pieces_copy. Otherwise pieces is NULL: NOT_FOUND, CORRUPT, RANGE, or why the call failed.
 */
typedef void blob_get_done_fn(void *arg, struct status status, const struct rpc_pieces *pieces);

/* Read size bytes from offset; size 0: to the end. done runs exactly once. */
void blob_client_get(
    struct blob_client *client, uint32_t number, const struct id16 *id, uint32_t offset,
    uint32_t size, int64_t deadline_ms, blob_get_done_fn *done, void *arg);

/* ---------------------------------------------------------------- state, never waits */

/*
 * False from a call that timed out or found nobody until the node has answered again, and while it
 * is silent. After BLOB_DOWN_MS, asking here makes the client probe the node in the background;
 * asking also cuts off a node that has been silent for too long: its calls end in TIMEOUT and give
 * their slices back, and large items fail at once until a probe is answered.
 */
bool blob_client_is_up(struct blob_client *client, uint32_t number);

/* As the last reply to a put said; UINT64_MAX before the first. */
uint64_t blob_client_free_bytes(struct blob_client *client, uint32_t number);

/* As the last reply said; 0 before the first. */
uint64_t blob_client_keyset_version(struct blob_client *client, uint32_t number);

/* ---------------------------------------------------------------- calls that wait */

/* To the trash (right DELETE); at most BLOB_ITEMS_MAX. STORED: it lies in the trash, durably. */
MUST_CHECK struct status blob_client_delete(
    struct blob_client *client, uint32_t number, const struct id16 *ids, size_t count,
    int64_t deadline_ms, enum blob_outcome *ret_outcomes);

struct blob_entry {
    struct id16 id;
    uint32_t size;
};

/*
 * Live blobs in order of id (right ENUMERATE), those behind after (NULL: from the first). entries
 * has room for limit, at most BLOB_ENUMERATE_MAX. is_complete: nothing follows the last entry.
 */
MUST_CHECK struct status blob_client_enumerate(
    struct blob_client *client, uint32_t number, const struct id16 *after, uint32_t limit,
    int64_t deadline_ms, struct blob_entry *entries, size_t *ret_count, bool *ret_is_complete);

struct blob_stat {
    struct id16 store_uuid;
    uint64_t durable_lsn;
    uint64_t blobs;
    uint64_t bytes;
    uint64_t trash_bytes;
    uint64_t free_bytes;
    uint64_t keyset_version;
};
MUST_CHECK struct status blob_client_stat(
    struct blob_client *client, uint32_t number, int64_t deadline_ms, struct blob_stat *ret_stat);

/* ret_version (may be NULL): in force there now. No token is needed. */
MUST_CHECK struct status blob_client_push_keyset(
    struct blob_client *client, uint32_t number, struct bytes keyset, int64_t deadline_ms,
    uint64_t *ret_version);

/*
 * What the node of this account holds, all its accounts (roles steward and operator). The message
 * lives as long as the reply, which the caller frees.
 */
MUST_CHECK struct status blob_client_node_status(
    struct blob_client *client, uint32_t number, int64_t deadline_ms, struct rpc_reply **ret_reply);

DEFINE_OWNED(blob_client)
