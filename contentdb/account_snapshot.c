#include "contentdb/account_snapshot.h"

#include "lib/base/arena.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SNAPSHOT_BYTES_MAX = 64 * 1024 * 1024 };

/* What a reader sees, first, so that its address is that of the whole. */
struct counted {
    struct account_snapshot view;
    atomic_uint references;
    struct arena arena; /* Holds the accounts and their texts. */
};

static struct counted *counted_of(const struct account_snapshot *snapshot)
{
    struct counted *counted = NULL;
    memcpy(&counted, &snapshot, sizeof(counted)); /* The count is ours to change. */
    return counted;
}

static void counted_free(struct counted *counted)
{
    if (counted != NULL) {
        arena_done(&counted->arena);
        free(counted);
    }
}

DEFINE_OWNED(counted)

static struct status
copy_account(struct arena *arena, const Triad__Content__Account *from, struct account_info *to)
{
    *to = (struct account_info){
        .number = from->number,
        .state = (enum account_state)from->state,
        .durable_lsn = from->durable_lsn,
        .node_id = arena_text(arena, bytes_text(from->node_id)),
        .address = arena_text(arena, bytes_text(from->address)),
        .tls_name = arena_text(arena, bytes_text(from->tls_name)),
        .failure_domain = arena_text(arena, bytes_text(from->failure_domain)),
    };
    if (to->node_id == NULL || to->address == NULL || to->tls_name == NULL ||
        to->failure_domain == NULL) {
        return FAIL(NO_MEMORY, "account");
    }
    if (from->account.len != ID16_SIZE || from->store_uuid.len != ID16_SIZE ||
        from->state < ACCOUNT_ACTIVE || from->state > ACCOUNT_GONE) {
        return FAIL(INVALID, "account of the content DB");
    }
    memcpy(to->account.bytes, from->account.data, ID16_SIZE);
    memcpy(to->store_uuid.bytes, from->store_uuid.data, ID16_SIZE);
    return OK;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct account_info *left = a;
    const struct account_info *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

struct status account_snapshot_new(
    const Triad__Content__ListAccountsReply *reply, const struct account_snapshot **ret_snapshot)
{
    OWNED(counted) struct counted *counted = calloc(1, sizeof(*counted));
    if (counted == NULL) {
        return FAIL(NO_MEMORY, "accounts");
    }
    atomic_init(&counted->references, 1);
    arena_init(&counted->arena, SNAPSHOT_BYTES_MAX);
    if (reply != NULL) {
        struct account_info *accounts =
            arena_zalloc(&counted->arena, reply->n_accounts + 1, sizeof(*accounts));
        if (accounts == NULL) {
            return FAIL(NO_MEMORY, "accounts");
        }
        for (size_t i = 0; i < reply->n_accounts; i++) {
            TRY(copy_account(&counted->arena, reply->accounts[i], &accounts[i]));
        }
        qsort(accounts, reply->n_accounts, sizeof(*accounts), compare_numbers);
        counted->view.accounts = accounts;
        counted->view.count = reply->n_accounts;
        counted->view.shard_map_epoch = reply->shard_map_epoch;
        counted->view.shards = reply->shards;
    }
    *ret_snapshot = &TAKE(counted)->view;
    return OK;
}

const struct account_info *
account_snapshot_find(const struct account_snapshot *snapshot, uint32_t number)
{
    const struct account_info wanted = {.number = number};
    return snapshot->count == 0 ? NULL
                                : bsearch(
                                      &wanted, snapshot->accounts, snapshot->count,
                                      sizeof(*snapshot->accounts), compare_numbers);
}

const struct account_snapshot *account_snapshot_ref(const struct account_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&counted_of(snapshot)->references, 1, memory_order_relaxed);
    return snapshot;
}

void account_snapshot_free(const struct account_snapshot *snapshot)
{
    if (snapshot != NULL && atomic_fetch_sub_explicit(
                                &counted_of(snapshot)->references, 1, memory_order_acq_rel) == 1) {
        counted_free(counted_of(snapshot));
    }
}

static bool is_same(const struct account_info *a, const struct account_info *b)
{
    return a->number == b->number && id16_equal(&a->account, &b->account) &&
           id16_equal(&a->store_uuid, &b->store_uuid) && a->state == b->state &&
           a->durable_lsn == b->durable_lsn && strcmp(a->node_id, b->node_id) == 0 &&
           strcmp(a->address, b->address) == 0 && strcmp(a->tls_name, b->tls_name) == 0 &&
           strcmp(a->failure_domain, b->failure_domain) == 0;
}

bool account_snapshot_equal(const struct account_snapshot *a, const struct account_snapshot *b)
{
    if (a->count != b->count || a->shard_map_epoch != b->shard_map_epoch ||
        a->shards != b->shards) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!is_same(&a->accounts[i], &b->accounts[i])) {
            return false;
        }
    }
    return true;
}
