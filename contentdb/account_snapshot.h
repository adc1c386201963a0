#pragma once

/* The accounts as they stood when a shard 0 was asked: immutable, counted, any thread. */

#include "lib/base/cleanup.h"
#include "lib/format/ids.h"
#include "proto/content.pb-c.h"

enum account_state {
    ACCOUNT_ACTIVE = 1,
    ACCOUNT_DRAINING = 2, /* Readable, takes nothing new. */
    ACCOUNT_SUSPECT = 3,
    ACCOUNT_GONE = 4,
};

struct account_info {
    uint32_t number;
    struct id16 account;
    struct id16 store_uuid;
    const char *node_id;
    const char *address; /* host:port */
    const char *tls_name;
    const char *failure_domain;
    enum account_state state;
    uint64_t durable_lsn;
};

struct account_snapshot {
    const struct account_info *accounts; /* By number, rising. */
    size_t count;
    uint32_t shard_map_epoch;
    uint32_t shards;
};

/* The account with that number, or NULL. */
const struct account_info *
account_snapshot_find(const struct account_snapshot *snapshot, uint32_t number);
const struct account_snapshot *account_snapshot_ref(const struct account_snapshot *snapshot);
void account_snapshot_free(const struct account_snapshot *snapshot);

/* Copy an answer of ListAccounts; the caller holds one reference. NULL reply: empty. */
MUST_CHECK struct status account_snapshot_new(
    const Triad__Content__ListAccountsReply *reply, const struct account_snapshot **ret_snapshot);
/* True if both list the same. */
bool account_snapshot_equal(const struct account_snapshot *a, const struct account_snapshot *b);

static inline void account_snapshot_release(const struct account_snapshot **owned)
{
    account_snapshot_free(*owned);
}
