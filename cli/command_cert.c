/* triad cert add | list | remove | renew */

#include "cli/cli_commands.h"
#include "cli/session.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "proto/key.pb-c.h"

#include <fcntl.h>
#include <stdio.h>

enum { PEM_MAX = 64 * 1024 };

static cJSON *info_json(struct cli *cli, const Triad__Key__CertInfo *info)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "uri", info->uri);
    cJSON_AddStringToObject(json, "sha256", cli_hex(cli, session_bytes(&info->sha256)));
    cJSON_AddNumberToObject(json, "not_after", (double)info->not_after);
    cJSON_AddNumberToObject(json, "added", (double)info->added);
    if (info->retire_at != 0) {
        cJSON_AddNumberToObject(json, "retire_at", (double)info->retire_at);
    }
    return json;
}

/* One call to the Keys service; NULL when it failed, which was printed. */
static const ProtobufCMessage *
ask(struct session *session, const char *method, const ProtobufCMessage *request)
{
    const ProtobufCMessage *reply = NULL;
    struct status status = session_call(
        session, SESSION_KEYSTORE, &triad__key__keys__descriptor, method, request, &reply);
    return status_ok(status) ? reply : NULL;
}

static struct status read_file(struct cli *cli, struct buffer *pem)
{
    const char *file = cli_text(cli, "file");
    struct status status = file_read(AT_FDCWD, file, pem);
    if (!status_ok(status)) {
        cli_fail(cli, file, status);
    }
    return status;
}

int command_cert_add(struct cli *cli)
{
    BUFFER(pem, PEM_MAX);
    OWNED(session) struct session *session = NULL;
    if (!status_ok(read_file(cli, &pem)) || !status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__CertAddRequest request = TRIAD__KEY__CERT_ADD_REQUEST__INIT;
    request.certificate = (ProtobufCBinaryData){.data = pem.data, .len = pem.size};
    const ProtobufCMessage *reply = ask(session, "CertAdd", &request.base);
    if (reply == NULL) {
        return 1;
    }
    return cli_print(cli, info_json(cli, ((const Triad__Key__CertAddReply *)reply)->info));
}

int command_cert_renew(struct cli *cli)
{
    BUFFER(pem, PEM_MAX);
    OWNED(session) struct session *session = NULL;
    if (!status_ok(read_file(cli, &pem)) || !status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__CertRenewRequest request = TRIAD__KEY__CERT_RENEW_REQUEST__INIT;
    request.certificate = (ProtobufCBinaryData){.data = pem.data, .len = pem.size};
    const ProtobufCMessage *reply = ask(session, "CertRenew", &request.base);
    if (reply == NULL) {
        return 1;
    }
    return cli_print(cli, info_json(cli, ((const Triad__Key__CertRenewReply *)reply)->info));
}

int command_cert_list(struct cli *cli)
{
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__CertListRequest request = TRIAD__KEY__CERT_LIST_REQUEST__INIT;
    const ProtobufCMessage *message = ask(session, "CertList", &request.base);
    if (message == NULL) {
        return 1;
    }
    const Triad__Key__CertListReply *reply = (const Triad__Key__CertListReply *)message;
    cJSON *result = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(result, "certificates");
    for (size_t i = 0; i < reply->n_certificates; i++) {
        cJSON_AddItemToArray(list, info_json(cli, reply->certificates[i]));
    }
    return cli_print(cli, result);
}

int command_cert_remove(struct cli *cli)
{
    const char *uri = cli_text(cli, "uri");
    const char *sha256 = cli_text(cli, "sha256");
    if ((uri == NULL) == (sha256 == NULL)) {
        return cli_fail_text(cli, "give either --uri or --sha256");
    }
    uint8_t fingerprint[32];
    Triad__Key__CertRemoveRequest request = TRIAD__KEY__CERT_REMOVE_REQUEST__INIT;
    if (uri != NULL) {
        request.uri = arena_text(&cli->arena, bytes_text(uri));
    } else {
        if (!hex_decode(bytes_text(sha256), fingerprint, sizeof(fingerprint))) {
            return cli_fail_text(cli, "--sha256: 64 hexadecimal digits are wanted");
        }
        request.sha256 = (ProtobufCBinaryData){.data = fingerprint, .len = sizeof(fingerprint)};
    }
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    const ProtobufCMessage *reply = ask(session, "CertRemove", &request.base);
    if (reply == NULL) {
        return 1;
    }
    uint32_t removed = ((const Triad__Key__CertRemoveReply *)reply)->removed;
    if (removed == 0) {
        return cli_fail_text(cli, "no such certificate is registered");
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(result, "removed", removed);
    return cli_print(cli, result);
}
