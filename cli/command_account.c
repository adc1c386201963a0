/* triad account add | list */

#include "cli/cli_commands.h"
#include "cli/session.h"
#include "lib/base/hex.h"
#include "lib/crypto/random.h"
#include "proto/blob.pb-c.h"
#include "proto/content.pb-c.h"
#include "proto/key.pb-c.h"

enum { ACCOUNT_SIZE = 16 };

/* Keys first, then the store, then the number that makes it visible: each step is idempotent. */
static int add(struct cli *cli, struct session *session, uint8_t account[ACCOUNT_SIZE])
{
    const char *address = cli_text(cli, "address");
    const char *tls_name = cli_text(cli, "tls-name");
    ProtobufCBinaryData id = {.data = account, .len = ACCOUNT_SIZE};

    Triad__Key__CreateAccountRequest keys = TRIAD__KEY__CREATE_ACCOUNT_REQUEST__INIT;
    keys.account = id;
    const ProtobufCMessage *message;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__keys__descriptor, "CreateAccount", &keys.base,
            &message))) {
        return 1;
    }
    Triad__Blob__FormatAccountRequest format = TRIAD__BLOB__FORMAT_ACCOUNT_REQUEST__INIT;
    format.account = id;
    format.keyset = ((const Triad__Key__CreateAccountReply *)message)->keyset;
    if (!status_ok(session_call_node(
            session, address, tls_name, &triad__blob__blob__descriptor, "FormatAccount",
            &format.base, &message))) {
        return 1;
    }
    const Triad__Blob__FormatAccountReply *formatted =
        (const Triad__Blob__FormatAccountReply *)message;

    Triad__Content__Account row = TRIAD__CONTENT__ACCOUNT__INIT;
    row.account = id;
    row.store_uuid = formatted->store_uuid;
    row.node_id = formatted->node_id;
    row.address = arena_text(&cli->arena, bytes_text(address));
    row.tls_name = arena_text(&cli->arena, bytes_text(tls_name));
    const char *domain = cli_text(cli, "failure-domain");
    row.failure_domain =
        domain != NULL ? arena_text(&cli->arena, bytes_text(domain)) : formatted->node_id;
    Triad__Content__AddAccountRequest visible = TRIAD__CONTENT__ADD_ACCOUNT_REQUEST__INIT;
    visible.account = &row;
    if (!status_ok(session_call(
            session, SESSION_CONTENTDB, &triad__content__content__descriptor, "AddAccount",
            &visible.base, &message))) {
        return 1;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "account", cli_hex(cli, bytes_of(account, ACCOUNT_SIZE)));
    cJSON_AddNumberToObject(
        result, "number", ((const Triad__Content__AddAccountReply *)message)->number);
    cJSON_AddStringToObject(result, "node", formatted->node_id);
    return cli_print(cli, result);
}

int command_account_add(struct cli *cli)
{
    uint8_t account[ACCOUNT_SIZE];
    const char *given = cli_text(cli, "account");
    if (given != NULL) {
        if (!hex_decode(bytes_text(given), account, sizeof(account))) {
            return cli_fail_text(cli, "--account: 32 hexadecimal digits are wanted");
        }
    } else {
        struct status status = random_bytes(account, sizeof(account));
        if (!status_ok(status)) {
            return cli_fail(cli, "draw an account id", status);
        }
    }
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    return add(cli, session, account);
}

int command_account_list(struct cli *cli)
{
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Content__ListAccountsRequest request = TRIAD__CONTENT__LIST_ACCOUNTS_REQUEST__INIT;
    const ProtobufCMessage *message;
    if (!status_ok(session_call(
            session, SESSION_CONTENTDB, &triad__content__content__descriptor, "ListAccounts",
            &request.base, &message))) {
        return 1;
    }
    const Triad__Content__ListAccountsReply *reply =
        (const Triad__Content__ListAccountsReply *)message;
    static const char *const states[] = {"?", "active", "draining", "suspect", "gone"};
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "accounts");
    for (size_t i = 0; i < reply->n_accounts; i++) {
        const Triad__Content__Account *row = reply->accounts[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddNumberToObject(json, "number", row->number);
        cJSON_AddStringToObject(json, "account", cli_hex(cli, session_bytes(&row->account)));
        cJSON_AddStringToObject(json, "node", row->node_id);
        cJSON_AddStringToObject(json, "address", row->address);
        cJSON_AddStringToObject(json, "tls_name", row->tls_name);
        cJSON_AddStringToObject(json, "failure_domain", row->failure_domain);
        cJSON_AddStringToObject(json, "state", states[row->state <= 4 ? row->state : 0]);
        cJSON_AddItemToArray(list, json);
    }
    return cli_print(cli, result);
}
