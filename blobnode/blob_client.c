#include "blobnode/blob_client.h"

#include "blobnode/blob_client_state.h"
#include "lib/base/check.h"

#include <stdlib.h>

static void account_free(struct blob_client_account *account)
{
    if (account != NULL) {
        lane_free(account->put_lane);
        lane_free(account->get_lane);
        free(account);
    }
}

static void account_release(struct blob_client_account **owned)
{
    account_free(*owned);
}

struct status blob_client_new(
    struct rpc_client *rpc_client, const struct blob_client_options *options,
    struct blob_client **ret_client)
{
    CHECK(options->token != NULL);
    struct blob_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(NO_MEMORY, "blob client");
    }
    client->rpc_client = rpc_client;
    client->options = *options;
    pthread_mutex_init(&client->mutex, NULL);
    pthread_cond_init(&client->idle, NULL);
    struct status status = map_new(sizeof(uint32_t), &client->accounts);
    if (!status_ok(status)) {
        blob_client_free(client);
        return status;
    }
    *ret_client = client;
    return OK;
}

static void wait_until_idle(struct blob_client *client)
{
    LOCKED(&client->mutex);
    while (client->busy > 0) {
        pthread_cond_wait(&client->idle, &client->mutex);
    }
}

void blob_client_free(struct blob_client *client)
{
    if (client == NULL) {
        return;
    }
    wait_until_idle(client);
    size_t cursor = 0;
    const void *key = NULL;
    void *account = NULL;
    while (client->accounts != NULL && map_next(client->accounts, &cursor, &key, &account)) {
        account_free(account);
    }
    map_free(client->accounts);
    while (client->nodes != NULL) {
        struct blob_client_node *node = client->nodes;
        client->nodes = node->next;
        blob_client_node_free(node);
    }
    pthread_cond_destroy(&client->idle);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

void blob_client_state_enter(struct blob_client *client)
{
    LOCKED(&client->mutex);
    client->busy++;
}

void blob_client_state_leave(struct blob_client *client)
{
    LOCKED(&client->mutex);
    CHECK(client->busy > 0);
    client->busy--;
    if (client->busy == 0) {
        pthread_cond_broadcast(&client->idle);
    }
}

struct status blob_client_state_find(
    struct blob_client *client, uint32_t number, struct blob_client_account **ret_account)
{
    LOCKED(&client->mutex);
    struct blob_client_account *account = map_get(client->accounts, &number);
    if (account == NULL || atomic_load(&account->is_gone)) {
        return FAIL(NOT_FOUND, "account of that number");
    }
    *ret_account = account;
    return OK;
}

void blob_client_state_note_keyset(struct blob_client_account *account, uint64_t version)
{
    const struct blob_client_options *options = &account->client->options;
    if (version == 0 || atomic_exchange(&account->keyset_version, version) == version) {
        return;
    }
    if (options->on_keyset_version != NULL) {
        options->on_keyset_version(options->context, &account->account, version);
    }
}

/* ---------------------------------------------------------------- the directory */

/* The node of that address, made if it is new; the client's mutex is held. */
static struct status find_node(
    struct blob_client *client, const struct blob_account_row *row,
    struct blob_client_node **ret_node)
{
    for (struct blob_client_node *node = client->nodes; node != NULL; node = node->next) {
        if (strcmp(node->address, row->address) == 0 &&
            strcmp(node->tls_name, row->tls_name) == 0) {
            *ret_node = node;
            return OK;
        }
    }
    if (client->nodes_count == BLOB_CLIENT_NODES_MAX) {
        return FAIL(TOO_LARGE, "nodes");
    }
    struct blob_client_node *node = NULL;
    TRY(blob_client_node_new(client, row->address, row->tls_name, &node));
    node->next = client->nodes;
    client->nodes = node;
    client->nodes_count++;
    *ret_node = node;
    return OK;
}

static struct status new_lane(struct blob_client_account *account, struct lane **ret_lane)
{
    struct lane_options options = {
        .items_max = BLOB_ITEMS_MAX,
        .bytes_max = BLOB_CLIENT_CALL_BYTES,
        .calls_max = 1,
        .send = blob_client_data_send,
        .context = account,
    };
    return lane_new(&options, ret_lane);
}

static struct status new_account(
    struct blob_client *client, const struct blob_account_row *row, struct blob_client_node *node)
{
    if (map_count(client->accounts) == BLOB_CLIENT_ACCOUNTS_MAX) {
        return FAIL(TOO_LARGE, "accounts");
    }
    __attribute__((cleanup(account_release))) struct blob_client_account *account =
        calloc(1, sizeof(*account));
    if (account == NULL) {
        return FAIL(NO_MEMORY, "account");
    }
    account->number = row->number;
    account->account = row->account;
    account->client = client;
    atomic_init(&account->node, node);
    atomic_init(&account->is_gone, row->is_gone);
    atomic_init(&account->free_bytes, UINT64_MAX);
    TRY(new_lane(account, &account->put_lane));
    TRY(new_lane(account, &account->get_lane));
    TRY(map_put(client->accounts, &row->number, account, NULL));
    account = NULL;
    return OK;
}

static struct status set_account(struct blob_client *client, const struct blob_account_row *row)
{
    struct blob_client_node *node = NULL;
    TRY(find_node(client, row, &node));
    struct blob_client_account *account = map_get(client->accounts, &row->number);
    if (account == NULL) {
        return new_account(client, row, node);
    }
    if (!id16_equal(&account->account, &row->account)) {
        return FAIL(INVALID, "number of an account given to another");
    }
    atomic_store(&account->node, node);
    atomic_store(&account->is_gone, row->is_gone);
    return OK;
}

struct status blob_client_set_accounts(
    struct blob_client *client, const struct blob_account_row *rows, size_t count)
{
    LOCKED(&client->mutex);
    for (size_t i = 0; i < count; i++) {
        TRY(set_account(client, &rows[i]));
    }
    return OK;
}

/* ---------------------------------------------------------------- state */

bool blob_client_is_up(struct blob_client *client, uint32_t number)
{
    struct blob_client_account *account = NULL;
    if (!status_ok(blob_client_state_find(client, number, &account))) {
        return false;
    }
    return blob_client_node_is_up(atomic_load(&account->node), account);
}

uint64_t blob_client_free_bytes(struct blob_client *client, uint32_t number)
{
    struct blob_client_account *account = NULL;
    struct status status = blob_client_state_find(client, number, &account);
    return status_ok(status) ? atomic_load(&account->free_bytes) : 0;
}

uint64_t blob_client_keyset_version(struct blob_client *client, uint32_t number)
{
    struct blob_client_account *account = NULL;
    struct status status = blob_client_state_find(client, number, &account);
    return status_ok(status) ? atomic_load(&account->keyset_version) : 0;
}
