/* triad pki init | issue | delegate */

#include "cli/cli_commands.h"
#include "cli/pki_authority.h"
#include "cli/session.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/capability/keyset.h"
#include "proto/key.pb-c.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAYS_MAX = 3650, DELEGATION_DAYS_MAX = 365, DAY_S = 86400, KEY_FILE_MAX = 4096 };

/* The option as a count of days, or 0 where it is absent; false (and printed) if it is no count. */
static bool days_of(const struct cli *cli, unsigned max, unsigned *ret_days)
{
    const char *text = cli_text(cli, "days");
    *ret_days = 0;
    if (text == NULL) {
        return true;
    }
    char *end;
    unsigned long days = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || days < 1 || days > max) {
        cli_fail_text(cli, "--days %s: a number from 1 to %u is wanted", text, max);
        return false;
    }
    *ret_days = (unsigned)days;
    return true;
}

int command_pki_init(struct cli *cli)
{
    const char *dir = cli_text(cli, "dir");
    const char *cluster = cli_text(cli, "cluster");
    size_t size = strlen(cluster);
    if (size == 0 || size > RPC_ID_MAX ||
        strspn(cluster, "abcdefghijklmnopqrstuvwxyz0123456789-") != size) {
        return cli_fail_text(cli, "--cluster %s: lower-case letters, digits and - only", cluster);
    }
    struct status status = pki_authority_init(dir, cluster);
    if (!status_ok(status)) {
        return cli_fail(cli, dir, status);
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "directory", dir);
    cJSON_AddStringToObject(result, "cluster", cluster);
    return cli_print(cli, result);
}

static const char **values_of(struct cli *cli, const char *name)
{
    const char **list = arena_zalloc(&cli->arena, CLI_VALUES_MAX + 1, sizeof(*list));
    for (size_t i = 0; list != NULL && cli_text_at(cli, name, i) != NULL; i++) {
        list[i] = cli_text_at(cli, name, i);
    }
    return list;
}

int command_pki_issue(struct cli *cli)
{
    struct pki_subject subject = {
        .role = cli_text(cli, "role"),
        .id = cli_text(cli, "id"),
        .dns = values_of(cli, "dns"),
        .ip = values_of(cli, "ip"),
    };
    if (!days_of(cli, DAYS_MAX, &subject.days)) {
        return 1;
    }
    const char *out = cli_text(cli, "out");
    struct status status = pki_authority_issue(cli_text(cli, "dir"), &subject, out);
    if (!status_ok(status)) {
        return cli_fail(cli, "issue", status);
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddStringToObject(result, "certificate", arena_printf(&cli->arena, "%s/cert.pem", out));
    cJSON_AddStringToObject(result, "key", arena_printf(&cli->arena, "%s/key.pem", out));
    cJSON_AddStringToObject(result, "ca", arena_printf(&cli->arena, "%s/ca.pem", out));
    if (strcmp(subject.role, "public") != 0) {
        cJSON_AddStringToObject(
            result, "tls_name", arena_printf(&cli->arena, "%s.%s.triad", subject.id, subject.role));
    }
    return cli_print(cli, result);
}

/* Sign the online key's SPKI with the offline root in --dir. */
static int sign(struct cli *cli, struct bytes spki, struct buffer *delegation)
{
    unsigned days;
    if (!days_of(cli, DELEGATION_DAYS_MAX, &days)) {
        return 1;
    }
    const char *dir = cli_text(cli, "dir");
    if (dir == NULL) {
        return cli_fail_text(cli, "--dir is missing: the offline keyset root lies there");
    }
    const char *path = arena_printf(&cli->arena, "%s/keyset-root.key", dir);
    BUFFER(pkcs8, KEY_FILE_MAX);
    struct status status = file_read(AT_FDCWD, path, &pkcs8);
    if (!status_ok(status)) {
        return cli_fail(cli, path, status);
    }
    OWNED(secret) struct secret *root = NULL;
    status = secret_new_copy(buffer_bytes(&pkcs8), &root);
    explicit_bzero(pkcs8.data, pkcs8.size);
    if (status_ok(status)) {
        uint64_t now = (uint64_t)clock_wall_s();
        uint64_t life = (uint64_t)(days != 0 ? days : DELEGATION_DAYS_MAX) * DAY_S;
        status = delegation_sign(
            SIGNATURE_ED25519, root, SIGNATURE_ED25519, spki, now - 300, now - 300 + life,
            delegation);
    }
    return status_ok(status) ? 0 : cli_fail(cli, "sign the delegation", status);
}

static int install(struct cli *cli, struct session *session, struct bytes delegation)
{
    Triad__Key__KeysetDelegateRequest request = TRIAD__KEY__KEYSET_DELEGATE_REQUEST__INIT;
    BUFFER(copy, KEYSET_SIZE_MAX);
    buffer_add(&copy, delegation);
    request.delegation = (ProtobufCBinaryData){.data = copy.data, .len = copy.size};
    const ProtobufCMessage *reply;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__keys__descriptor, "KeysetDelegate",
            &request.base, &reply))) {
        return 1;
    }
    cJSON *result = cJSON_CreateObject();
    cJSON_AddNumberToObject(
        result, "delegated_until", (double)((const Triad__Key__KeysetDelegateReply *)reply)->naf);
    return cli_print(cli, result);
}

static int delegate_online(struct cli *cli)
{
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    Triad__Key__KeysetRequestRequest request = TRIAD__KEY__KEYSET_REQUEST_REQUEST__INIT;
    const ProtobufCMessage *reply;
    if (!status_ok(session_call(
            session, SESSION_KEYSTORE, &triad__key__keys__descriptor, "KeysetRequest",
            &request.base, &reply))) {
        return 1;
    }
    const Triad__Key__KeysetRequestReply *wanted = (const Triad__Key__KeysetRequestReply *)reply;
    BUFFER(delegation, KEYSET_SIZE_MAX);
    int code = sign(cli, bytes_of(wanted->spki.data, wanted->spki.len), &delegation);
    return code != 0 ? code : install(cli, session, buffer_bytes(&delegation));
}

static int delegate_offline(struct cli *cli, const char *request, const char *out)
{
    BUFFER(spki, SIGNATURE_SPKI_MAX);
    struct status status = file_read(AT_FDCWD, request, &spki);
    if (!status_ok(status)) {
        return cli_fail(cli, request, status);
    }
    BUFFER(delegation, KEYSET_SIZE_MAX);
    int code = sign(cli, buffer_bytes(&spki), &delegation);
    if (code != 0) {
        return code;
    }
    OWNED(fd) int dir_fd = -1;
    char *path = arena_text(&cli->arena, bytes_text(out));
    char *name = arena_text(&cli->arena, bytes_text(out));
    status = file_open_dir(dirname(path), false, &dir_fd);
    if (status_ok(status)) {
        status = file_replace(dir_fd, basename(name), buffer_bytes(&delegation), 0644);
    }
    return status_ok(status) ? 0 : cli_fail(cli, out, status);
}

int command_pki_delegate(struct cli *cli)
{
    const char *request = cli_text(cli, "request");
    const char *out = cli_text(cli, "out");
    const char *file = cli_text(cli, "install");
    if ((request == NULL) != (out == NULL)) {
        return cli_fail_text(cli, "--request and --out go together");
    }
    if (request != NULL) {
        return delegate_offline(cli, request, out);
    }
    if (file == NULL) {
        return delegate_online(cli);
    }
    BUFFER(delegation, KEYSET_SIZE_MAX);
    struct status status = file_read(AT_FDCWD, file, &delegation);
    if (!status_ok(status)) {
        return cli_fail(cli, file, status);
    }
    OWNED(session) struct session *session = NULL;
    if (!status_ok(session_open(cli, &session))) {
        return 1;
    }
    return install(cli, session, buffer_bytes(&delegation));
}
