#include "frontend/fragment_client.h"

#include "frontend/keyset_pusher.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

struct fragment_client {
    struct key_wallet *wallet;              /* Owned. */
    struct blob_client *blobs;              /* Owned. */
    struct account_directory *directory;    /* Owned. */
    _Atomic(struct keyset_pusher *) pusher; /* Owned. */
};

/* On the directory's thread: the others learn of the accounts. */
static void accounts_changed(void *context, const struct account_snapshot *snapshot)
{
    struct fragment_client *client = context;
    struct blob_account_row *rows = calloc(snapshot->count + 1, sizeof(*rows));
    struct id16 *ids = calloc(snapshot->count + 1, sizeof(*ids));
    struct status status = FAIL(NO_MEMORY, "accounts");
    if (rows != NULL && ids != NULL) {
        size_t live = 0;
        for (size_t i = 0; i < snapshot->count; i++) {
            const struct account_info *info = &snapshot->accounts[i];
            rows[i] = (struct blob_account_row){
                .account = info->account,
                .number = info->number,
                .node_id = info->node_id,
                .address = info->address,
                .tls_name = info->tls_name,
                .is_gone = info->state == ACCOUNT_GONE};
            if (info->state != ACCOUNT_GONE) {
                ids[live++] = info->account;
            }
        }
        status = blob_client_set_accounts(client->blobs, rows, snapshot->count);
        if (status_ok(status)) {
            status = key_wallet_set_accounts(client->wallet, ids, live);
        }
    }
    free(rows);
    free(ids);
    if (!status_ok(status)) {
        log_event(LOG_ERROR, "accounts not taken over", LOG_STATUS(status));
        return;
    }
    log_event(LOG_INFO, "accounts known", LOG_INT("accounts", snapshot->count));
}

static struct status token_of(
    void *context, const struct id16 *account, enum token_perm perm, uint8_t ret_token[TOKEN_SIZE])
{
    const struct fragment_client *client = context;
    return key_wallet_token(client->wallet, account, perm, ret_token);
}

static void keyset_seen(void *context, const struct id16 *account, uint64_t version)
{
    (void)account;
    (void)version; /* The pusher compares all of them itself. */
    struct fragment_client *client = context;
    struct keyset_pusher *pusher = client->pusher;
    if (pusher != NULL) {
        keyset_pusher_hurry(pusher);
    }
}

struct status fragment_client_start(
    const struct fragment_client_options *options, struct fragment_client **ret_client)
{
    OWNED(fragment_client) struct fragment_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(NO_MEMORY, "fragment client");
    }
    struct key_wallet_options wallet = {
        .rpc = options->rpc_client, .client = options->key_client, .perms = options->perms};
    TRY(key_wallet_start(&wallet, &client->wallet));
    struct blob_client_options blobs = {
        .token = token_of, .on_keyset_version = keyset_seen, .context = client};
    TRY(blob_client_new(options->rpc_client, &blobs, &client->blobs));
    struct account_directory_options directory = {
        .client = options->content_client, .on_change = accounts_changed, .context = client};
    TRY(account_directory_start(&directory, &client->directory));
    struct keyset_pusher *pusher = NULL;
    TRY(keyset_pusher_start(client->directory, client->wallet, client->blobs, &pusher));
    client->pusher = pusher;

    *ret_client = TAKE(client);
    return OK;
}

void fragment_client_free(struct fragment_client *client)
{
    if (client == NULL) {
        return;
    }
    /* Who calls goes before who is called; the blob client's calls may still name the pusher. */
    keyset_pusher_stop(client->pusher);
    account_directory_free(client->directory);
    blob_client_free(client->blobs);
    keyset_pusher_free(client->pusher);
    key_wallet_free(client->wallet);
    free(client);
}

struct status fragment_client_wait_ready(struct fragment_client *client, int64_t deadline_ms)
{
    for (;;) {
        const struct account_snapshot *snapshot = account_directory_take(client->directory);
        size_t count = snapshot->count;
        account_snapshot_free(snapshot);
        if (count > 0) {
            return key_wallet_wait_ready(client->wallet, deadline_ms);
        }
        if (clock_monotonic_ms() >= deadline_ms) {
            return FAIL(TIMEOUT, "no storage account is known");
        }
        account_directory_hurry(client->directory);
        clock_sleep_ms(50);
    }
}

/* Equal for accounts on the same node: the place of the first of them. */
static uint32_t node_number(const struct account_snapshot *snapshot, size_t index)
{
    const char *node = snapshot->accounts[index].node_id;
    for (size_t i = 0; i < index; i++) {
        if (strcmp(snapshot->accounts[i].node_id, node) == 0) {
            return (uint32_t)i;
        }
    }
    return (uint32_t)index;
}

size_t fragment_client_candidates(
    struct fragment_client *client, struct placement_candidate *candidates, size_t max)
{
    __attribute__((cleanup(account_snapshot_release))) const struct account_snapshot *snapshot =
        account_directory_take(client->directory);
    size_t count = 0;
    for (size_t i = 0; i < snapshot->count && count < max; i++) {
        const struct account_info *info = &snapshot->accounts[i];
        if (info->state != ACCOUNT_ACTIVE) {
            continue;
        }
        uint64_t free_bytes = blob_client_free_bytes(client->blobs, info->number);
        candidates[count++] = (struct placement_candidate){
            .account = info->number,
            .node = node_number(snapshot, i),
            .is_up = blob_client_is_up(client->blobs, info->number) &&
                     key_wallet_id_key(client->wallet, &info->account) != NULL,
            .free_bytes = free_bytes == UINT64_MAX ? 0 : free_bytes};
    }
    return count;
}

bool fragment_client_is_up(struct fragment_client *client, uint32_t account)
{
    return blob_client_is_up(client->blobs, account);
}

bool fragment_client_is_active(struct fragment_client *client, uint32_t account)
{
    __attribute__((cleanup(account_snapshot_release))) const struct account_snapshot *snapshot =
        account_directory_take(client->directory);
    const struct account_info *info = account_snapshot_find(snapshot, account);
    return info != NULL && info->state == ACCOUNT_ACTIVE;
}

const struct secret *fragment_client_integrity_key(
    struct fragment_client *client, uint32_t version, uint32_t *ret_version)
{
    return key_wallet_integrity_key(client->wallet, version, ret_version);
}

/* The opaque id under which a node knows the fragment. */
static struct status
blob_id(struct fragment_client *client, const struct fragment_name *name, struct id16 *ret_id)
{
    __attribute__((cleanup(account_snapshot_release))) const struct account_snapshot *snapshot =
        account_directory_take(client->directory);
    const struct account_info *info = account_snapshot_find(snapshot, name->account);
    if (info == NULL) {
        account_directory_hurry(client->directory);
        return FAIL(UNAVAILABLE, "storage account is not known yet");
    }
    const struct secret *key = key_wallet_id_key(client->wallet, &info->account);
    if (key == NULL) {
        return FAIL(UNAVAILABLE, "no id key of the storage account yet");
    }
    return fragment_id(key, &name->chunk, name->copy, ret_id->bytes);
}

void fragment_client_put(
    struct fragment_client *client, const struct fragment_name *name,
    const struct rpc_slice *slices, size_t count, int64_t deadline_ms, blob_put_done_fn *done,
    void *arg)
{
    struct id16 id;
    struct status status = blob_id(client, name, &id);
    if (!status_ok(status)) {
        for (size_t i = 0; i < count; i++) {
            if (slices[i].release != NULL) {
                slices[i].release(slices[i].arg);
            }
        }
        done(arg, status, BLOB_NONE);
        return;
    }
    blob_client_put(client->blobs, name->account, &id, slices, count, deadline_ms, done, arg);
}

void fragment_client_get(
    struct fragment_client *client, const struct fragment_name *name, size_t offset, size_t size,
    int64_t deadline_ms, blob_get_done_fn *done, void *arg)
{
    struct id16 id;
    struct status status = blob_id(client, name, &id);
    if (!status_ok(status)) {
        done(arg, status, NULL);
        return;
    }
    blob_client_get(
        client->blobs, name->account, &id, (uint32_t)offset, (uint32_t)size, deadline_ms, done,
        arg);
}
