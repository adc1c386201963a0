/* triad user create | list | disable */

#include "cli/cli_commands.h"
#include "cli/session.h"
#include "lib/base/file.h"
#include "proto/key.pb-c.h"

#include <fcntl.h>
#include <string.h>

enum { ADMIN_KEY_MAX = 256, ACTIONS_MAX = 8 };

/* The tenant's admin key from --admin-key-file or --admin-key; NULL (and printed) without. */
static char *admin_key(struct cli *cli)
{
    const char *file = cli_text(cli, "admin-key-file");
    const char *text = cli_text(cli, "admin-key");
    if ((file == NULL) == (text == NULL)) {
        cli_fail_text(cli, "give --admin-key-file (or --admin-key), once");
        return NULL;
    }
    if (text != NULL) {
        return arena_text(&cli->arena, bytes_text(text));
    }
    BUFFER(key, ADMIN_KEY_MAX);
    struct status status = file_read(AT_FDCWD, file, &key);
    if (!status_ok(status)) {
        cli_fail(cli, file, status);
        return NULL;
    }
    size_t size = key.size;
    while (size > 0 && (key.data[size - 1] == '\n' || key.data[size - 1] == '\r')) {
        size--;
    }
    char *copy = arena_text(&cli->arena, bytes_of(key.data, size));
    explicit_bzero(key.data, key.size);
    return copy;
}

/* "read,list:photos/a.jpg" into a statement; NULL (and printed) if it is not one. */
static Triad__Key__PolicyStatement *statement_of(struct cli *cli, const char *text)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') {
        cli_fail_text(cli, "--allow %s: ACTIONS:RESOURCE is wanted, as read,list:photos/*", text);
        return NULL;
    }
    Triad__Key__PolicyStatement *statement = arena_alloc(&cli->arena, sizeof(*statement));
    char **actions = arena_zalloc(&cli->arena, ACTIONS_MAX, sizeof(*actions));
    char *words = arena_text(&cli->arena, bytes_of(text, (size_t)(colon - text)));
    *statement = (Triad__Key__PolicyStatement)TRIAD__KEY__POLICY_STATEMENT__INIT;
    statement->resource = arena_text(&cli->arena, bytes_text(colon + 1));
    statement->actions = actions;
    char *rest = NULL;
    for (char *word = strtok_r(words, ",", &rest); word != NULL;
         word = strtok_r(NULL, ",", &rest)) {
        if (statement->n_actions == ACTIONS_MAX) {
            cli_fail_text(cli, "--allow %s: too many actions", text);
            return NULL;
        }
        actions[statement->n_actions++] = word;
    }
    return statement;
}

int command_user_create(struct cli *cli)
{
    Triad__Key__CreateUserRequest request = TRIAD__KEY__CREATE_USER_REQUEST__INIT;
    Triad__Key__PolicyStatement *policy[CLI_VALUES_MAX];
    request.policy = policy;
    for (const char *text; (text = cli_text_at(cli, "allow", request.n_policy)) != NULL;) {
        policy[request.n_policy] = statement_of(cli, text);
        if (policy[request.n_policy++] == NULL) {
            return 1;
        }
    }
    request.tenant = arena_text(&cli->arena, bytes_text(cli_text(cli, "tenant")));
    request.name = arena_text(&cli->arena, bytes_text(cli_text(cli, "name")));
    request.admin_key = admin_key(cli);
    OWNED(session) struct session *session = NULL;
    if (request.admin_key == NULL || !status_ok(session_open(cli, &session))) {
        return 1;
    }
    const ProtobufCMessage *message;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__identity__descriptor, "CreateUser",
            &request.base, &message))) {
        return 1;
    }
    const Triad__Key__CreateUserReply *reply = (const Triad__Key__CreateUserReply *)message;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "name", request.name);
    cJSON_AddStringToObject(result, "access_key", reply->access_key);
    cJSON_AddStringToObject(result, "secret_key", reply->secret_key);
    return cli_print(cli, result);
}

/* A user's policy as one line of ACTIONS:RESOURCE words. */
static const char *policy_text(struct cli *cli, const Triad__Key__UserInfo *info)
{
    const char *text = info->n_policy == 0 ? "all:*" : "";
    for (size_t i = 0; i < info->n_policy; i++) {
        const Triad__Key__PolicyStatement *statement = info->policy[i];
        const char *actions = "";
        for (size_t j = 0; j < statement->n_actions; j++) {
            actions = arena_printf(
                &cli->arena, "%s%s%s", actions, j > 0 ? "," : "", statement->actions[j]);
        }
        text = arena_printf(
            &cli->arena, "%s%s%s:%s", text, i > 0 ? " " : "", actions, statement->resource);
    }
    return text;
}

int command_user_list(struct cli *cli)
{
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__ListUsersRequest request = TRIAD__KEY__LIST_USERS_REQUEST__INIT;
    request.tenant = arena_text(&cli->arena, bytes_text(cli_text(cli, "tenant")));
    const ProtobufCMessage *message;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__identity__descriptor, "ListUsers",
            &request.base, &message))) {
        return 1;
    }
    const Triad__Key__ListUsersReply *reply = (const Triad__Key__ListUsersReply *)message;
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "users");
    for (size_t i = 0; i < reply->n_users; i++) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", reply->users[i]->name);
        cJSON_AddStringToObject(json, "access_key", reply->users[i]->access_key);
        cJSON_AddBoolToObject(json, "active", reply->users[i]->is_active);
        cJSON_AddStringToObject(json, "policy", policy_text(cli, reply->users[i]));
        cJSON_AddItemToArray(list, json);
    }
    return cli_print(cli, result);
}

int command_user_disable(struct cli *cli)
{
    Triad__Key__DisableUserRequest request = TRIAD__KEY__DISABLE_USER_REQUEST__INIT;
    request.tenant = arena_text(&cli->arena, bytes_text(cli_text(cli, "tenant")));
    request.access_key = arena_text(&cli->arena, bytes_text(cli_text(cli, "access-key")));
    request.admin_key = admin_key(cli);
    OWNED(session) struct session *session = NULL;
    if (request.admin_key == NULL || !status_ok(session_open(cli, &session))) {
        return 1;
    }
    const ProtobufCMessage *message;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__identity__descriptor, "DisableUser",
            &request.base, &message))) {
        return 1;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "disabled", request.access_key);
    return cli_print(cli, result);
}
