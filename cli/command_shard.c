/* triad shard create */

#include "cli/cli_commands.h"
#include "cli/session.h"
#include "proto/key.pb-c.h"

#include <stdlib.h>

int command_shard_create(struct cli *cli)
{
    const char *text = cli_text(cli, "shard");
    char *end = NULL;
    unsigned long shard = text != NULL ? strtoul(text, &end, 10) : 0;
    if (text != NULL && (*text == '\0' || *end != '\0' || shard > 65535)) {
        return cli_fail_text(cli, "--shard %s: a number from 0 to 65535 is wanted", text);
    }
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__CreateShardRequest request = TRIAD__KEY__CREATE_SHARD_REQUEST__INIT;
    request.shard = (uint32_t)shard;
    const ProtobufCMessage *reply;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__keys__descriptor, "CreateShard", &request.base,
            &reply))) {
        return 1;
    }
    const char *code = ((const Triad__Key__CreateShardReply *)reply)->recovery_code;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "shard", (double)shard);
    cJSON_AddBoolToObject(result, "was_there", code[0] == '\0');
    if (code[0] != '\0') {
        cJSON_AddStringToObject(result, "recovery_code", code);
    }
    return cli_print(cli, result);
}
