#pragma once

/*
 * The key store as the other daemons see it. Each function blocks its caller until the answer or
 * the deadline (clock_monotonic_ms), and may be called by any thread. UNAVAILABLE: not connected,
 * or the certificate is not (yet) registered: try again. Nothing here is retried or cached; the
 * wallet (key_wallet.h) keeps what lives longer than a request.
 */

#include "keystore/key_authorize.h"
#include "keystore/key_shard.h"
#include "lib/base/buffer.h"
#include "lib/capability/token.h"
#include "lib/rpc/rpc_client.h"

struct key_client;

struct key_client_options {
    unsigned calls_max; /* Authorize calls in flight; 0: 2. */
    size_t items_max;   /* In one; 0: 64. */
};

/* address: host:port. options may be NULL. The rpc client outlives the key client. */
MUST_CHECK struct status key_client_new(
    struct rpc_client *rpc, const char *address, const char *tls_name,
    const struct key_client_options *options, struct key_client **ret_client);

/* No call may be in progress. */
void key_client_free(struct key_client *client);

/* The channel, for methods that have no function here (the CLI's). */
struct rpc_channel *key_client_channel(struct key_client *client);
bool key_client_is_up(const struct key_client *client);

/*
 * Prove one request. Items of all threads that come while calls are in flight go together in the
 * next one: a lane, no timer. OK means that it was judged: see the verdict.
 */
MUST_CHECK struct status key_client_authorize(
    struct key_client *client, const struct key_authorize_item *item, int64_t deadline_ms,
    struct key_authorize_result **ret_result);

struct key_chunk_signature {
    uint8_t sha256[32];
    uint8_t signature[32];
};

/* The chain of chunk signatures from seed on; at most KEY_VERIFY_CHUNKS_MAX a call. seed becomes
 * the seed of the next call when *ret_verdict is KEY_ALLOWED. */
MUST_CHECK struct status key_client_verify_chunks(
    struct key_client *client, struct bytes handle, struct bytes date, struct bytes scope,
    const struct key_chunk_signature *chunks, size_t count, int64_t deadline_ms, uint8_t seed[32],
    enum key_verdict *ret_verdict);

/* A new grant for a request under way. */
MUST_CHECK struct status key_client_renew_grant(
    struct key_client *client, struct bytes handle, uint32_t shard, int64_t deadline_ms,
    uint8_t ret_grant[GRANT_SIZE], enum key_verdict *ret_verdict);

/* With the handle of a CREATE_BUCKET: creating -> active. Idempotent. */
MUST_CHECK struct status key_client_activate_bucket(
    struct key_client *client, struct bytes handle, const struct id16 *bucket, int64_t deadline_ms);

/* With the handle of a CREATE_BUCKET (only while creating) or of a DeleteBucket request (after the
 * content DB dropped it). Idempotent. */
MUST_CHECK struct status key_client_drop_bucket(
    struct key_client *client, struct bytes handle, const struct id16 *bucket, int64_t deadline_ms);

/*
 * Open a shard: deks as its store keeps them, none at the first open. BUSY: another instance
 * anchored within 3 s. NOT_FOUND: no such shard. CORRUPT: db_uuid or deks are not this shard's.
 */
MUST_CHECK struct status key_client_open_shard(
    struct key_client *client, uint32_t shard, const struct id16 *db_uuid,
    const struct key_shard_wrapped *deks, size_t deks_count, const struct id16 *instance,
    int64_t deadline_ms, struct key_shard **ret_shard);

/* Compare-and-set of the anchor. STALE: the shard is another instance's now: exit at once. */
MUST_CHECK struct status key_client_anchor(
    struct key_client *client, uint32_t shard, const struct id16 *instance,
    const struct key_shard_anchor *anchor, int64_t deadline_ms, struct key_grant_keys **ret_grants);

struct key_token_wanted {
    struct id16 account;
    enum token_perm perm;
};

struct key_token {
    bool is_issued; /* False: no such account, or not this role's to have. */
    uint8_t token[TOKEN_SIZE];
};

/* At most KEY_TOKENS_MAX; ret_tokens has count elements. */
MUST_CHECK struct status key_client_issue_tokens(
    struct key_client *client, const struct key_token_wanted *wanted, size_t count,
    int64_t deadline_ms, struct key_token *ret_tokens);

/* add() is called for each keyset while the call's memory lives, on the calling thread.
 * accounts NULL and count 0: all. */
MUST_CHECK struct status key_client_get_keysets(
    struct key_client *client, const struct id16 *accounts, size_t count, int64_t deadline_ms,
    struct status (*add)(void *context, const struct id16 *account, struct bytes keyset),
    void *context);

/* add_* take over the secret. The last integrity key is the current one. */
MUST_CHECK struct status key_client_get_account_keys(
    struct key_client *client, const struct id16 *accounts, size_t count, int64_t deadline_ms,
    struct status (*add_account)(
        void *context, const struct id16 *account, struct secret **take_id_key),
    struct status (*add_integrity)(void *context, uint32_t version, struct secret **take_key),
    void *context);

/* Register the successor of our own certificate (PEM leaf). */
MUST_CHECK struct status
key_client_renew_certificate(struct key_client *client, struct bytes pem, int64_t deadline_ms);

DEFINE_OWNED(key_client)
