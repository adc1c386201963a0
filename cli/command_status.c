/* triad status: asks every part, says what does not answer. */

#include "cli/cli_commands.h"
#include "cli/session.h"
#include "proto/blob.pb-c.h"
#include "proto/content.pb-c.h"
#include "proto/key.pb-c.h"

static int add_keystore(struct session *session, cJSON *result)
{
    Triad__Key__StatusRequest request = TRIAD__KEY__STATUS_REQUEST__INIT;
    const ProtobufCMessage *message;
    cJSON *json = cJSON_AddObjectToObject(result, "keystore");
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__keys__descriptor, "Status", &request.base,
            &message))) {
        cJSON_AddStringToObject(json, "state", "does not answer");
        return 1;
    }
    const Triad__Key__StatusReply *reply = (const Triad__Key__StatusReply *)message;
    cJSON_AddStringToObject(json, "state", "up");
    cJSON_AddStringToObject(json, "version", reply->version);
    cJSON_AddBoolToObject(json, "delegated", reply->is_delegated);
    cJSON_AddNumberToObject(json, "tenants", reply->tenants);
    cJSON_AddNumberToObject(json, "users", reply->users);
    cJSON_AddNumberToObject(json, "buckets", reply->buckets);
    cJSON_AddNumberToObject(json, "accounts", reply->accounts);
    cJSON_AddNumberToObject(json, "certificates", reply->certificates);
    cJSON_AddNumberToObject(json, "audit_records", (double)reply->audit_records);
    return 0;
}

static int add_contentdb(struct session *session, cJSON *result)
{
    Triad__Content__StatusRequest request = TRIAD__CONTENT__STATUS_REQUEST__INIT;
    const ProtobufCMessage *message;
    cJSON *json = cJSON_AddObjectToObject(result, "contentdb");
    if (!status_ok(session_call(
            session, SESSION_CONTENTDB, &triad__content__content__descriptor, "Status",
            &request.base, &message))) {
        cJSON_AddStringToObject(json, "state", "does not answer");
        return 1;
    }
    const Triad__Content__StatusReply *reply = (const Triad__Content__StatusReply *)message;
    cJSON_AddStringToObject(json, "state", "up");
    cJSON_AddStringToObject(json, "version", reply->version);
    cJSON_AddNumberToObject(json, "shard", reply->shard);
    cJSON_AddNumberToObject(json, "fence", reply->position != NULL ? reply->position->fence : 0);
    cJSON_AddNumberToObject(
        json, "seq", reply->position != NULL ? (double)reply->position->seq : 0);
    cJSON_AddNumberToObject(json, "buckets", (double)reply->buckets);
    cJSON_AddNumberToObject(json, "rows", (double)reply->rows);
    cJSON_AddNumberToObject(json, "row_bytes", (double)reply->row_bytes);
    cJSON_AddNumberToObject(json, "repairs", (double)reply->repairs);
    cJSON_AddNumberToObject(json, "leases", (double)reply->leases);
    return 0;
}

static int add_node(struct session *session, const Triad__Content__Account *row, cJSON *list)
{
    Triad__Blob__NodeStatusRequest request = TRIAD__BLOB__NODE_STATUS_REQUEST__INIT;
    const ProtobufCMessage *message;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToArray(list, json);
    cJSON_AddStringToObject(json, "node", row->node_id);
    cJSON_AddStringToObject(json, "address", row->address);
    if (!status_ok(session_call_node(
            session, row->address, row->tls_name, &triad__blob__blob__descriptor, "NodeStatus",
            &request.base, &message))) {
        cJSON_AddStringToObject(json, "state", "does not answer");
        return 1;
    }
    const Triad__Blob__NodeStatusReply *reply = (const Triad__Blob__NodeStatusReply *)message;
    uint64_t blobs = 0;
    uint64_t bytes = 0;
    uint64_t damaged = 0;
    for (size_t i = 0; i < reply->n_accounts; i++) {
        blobs += reply->accounts[i]->blobs;
        bytes += reply->accounts[i]->bytes;
        damaged += reply->accounts[i]->damaged;
    }
    cJSON_AddStringToObject(json, "state", "up");
    cJSON_AddNumberToObject(json, "accounts", (double)reply->n_accounts);
    cJSON_AddNumberToObject(json, "blobs", (double)blobs);
    cJSON_AddNumberToObject(json, "bytes", (double)bytes);
    cJSON_AddNumberToObject(json, "damaged", (double)damaged);
    cJSON_AddNumberToObject(json, "free_bytes", (double)reply->free_bytes);
    return 0;
}

/* Each node once, though it has several accounts. */
static int add_nodes(struct session *session, cJSON *result)
{
    Triad__Content__ListAccountsRequest request = TRIAD__CONTENT__LIST_ACCOUNTS_REQUEST__INIT;
    const ProtobufCMessage *message;
    cJSON *list = cJSON_AddArrayToObject(result, "blobnodes");
    if (!status_ok(session_call(
            session, SESSION_CONTENTDB, &triad__content__content__descriptor, "ListAccounts",
            &request.base, &message))) {
        return 1;
    }
    const Triad__Content__ListAccountsReply *reply =
        (const Triad__Content__ListAccountsReply *)message;
    int code = 0;
    for (size_t i = 0; i < reply->n_accounts; i++) {
        bool is_first = true;
        for (size_t j = 0; j < i; j++) {
            is_first =
                is_first && strcmp(reply->accounts[i]->address, reply->accounts[j]->address) != 0;
        }
        if (is_first) {
            code |= add_node(session, reply->accounts[i], list);
        }
    }
    return code;
}

int command_status(struct cli *cli)
{
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    cJSON *result = cJSON_CreateObject();
    int code = add_keystore(session, result);
    code |= add_contentdb(session, result);
    code |= add_nodes(session, result);
    return cli_print(cli, result) | code;
}
