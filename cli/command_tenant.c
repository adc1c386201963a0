/* triad tenant create | list */

#include "cli/cli_commands.h"
#include "cli/session.h"
#include "proto/key.pb-c.h"

int command_tenant_create(struct cli *cli)
{
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__CreateTenantRequest request = TRIAD__KEY__CREATE_TENANT_REQUEST__INIT;
    request.name = arena_text(&cli->arena, bytes_text(cli_text(cli, "name")));
    const ProtobufCMessage *message;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__identity__descriptor, "CreateTenant",
            &request.base, &message))) {
        return 1;
    }
    const Triad__Key__CreateTenantReply *reply = (const Triad__Key__CreateTenantReply *)message;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "name", request.name);
    cJSON_AddStringToObject(
        result, "tenant", cli_hex(cli, bytes_of(reply->tenant.data, reply->tenant.len)));
    cJSON_AddStringToObject(result, "admin_key", reply->admin_key);
    return cli_print(cli, result);
}

int command_tenant_list(struct cli *cli)
{
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__ListTenantsRequest request = TRIAD__KEY__LIST_TENANTS_REQUEST__INIT;
    const ProtobufCMessage *message;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__identity__descriptor, "ListTenants",
            &request.base, &message))) {
        return 1;
    }
    const Triad__Key__ListTenantsReply *reply = (const Triad__Key__ListTenantsReply *)message;
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "tenants");
    for (size_t i = 0; i < reply->n_tenants; i++) {
        const Triad__Key__TenantInfo *info = reply->tenants[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", info->name);
        cJSON_AddStringToObject(
            json, "tenant", cli_hex(cli, bytes_of(info->tenant.data, info->tenant.len)));
        cJSON_AddStringToObject(json, "state", info->state);
        cJSON_AddNumberToObject(json, "users", info->users);
        cJSON_AddNumberToObject(json, "buckets", info->buckets);
        cJSON_AddItemToArray(list, json);
    }
    return cli_print(cli, result);
}
