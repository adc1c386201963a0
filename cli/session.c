#include "cli/session.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/daemon/config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct session_settings {
#define OPTION CONFIG_FIELD
#include "cli/session.def"
#undef OPTION
};

static const struct config_option session_options[] = {
#define OPTION(...) CONFIG_ROW(struct session_settings, __VA_ARGS__)
#include "cli/session.def"
#undef OPTION
};

enum { REPLIES_MAX = 256, ERROR_MAX = 4096, MESSAGE_MAX = 4 * 1024 * 1024 };

struct session {
    struct cli *cli; /* Outlives us. */
    struct session_settings settings;
    struct rpc_client *client;    /* Owned. */
    struct rpc_channel *peers[2]; /* Owned; by enum session_peer, opened when first asked. */
    struct rpc_reply *replies[REPLIES_MAX]; /* Owned. */
    size_t replies_count;
    bool is_quiet;
};

const char *session_config_path(struct cli *cli)
{
    const char *path = cli_text(cli, "config");
    if (path == NULL) {
        const char *home = getenv("HOME");
        path = arena_printf(&cli->arena, "%s/.triad/triad.conf", home != NULL ? home : "");
    }
    return path;
}

static struct status connect_as(struct session *session, struct buffer *error)
{
    struct rpc_client_options options = {
        .tls =
            {.ca_file = session->settings.ca_file,
             .cert_file = session->settings.cert_file,
             .key_file = session->settings.key_file,
             .cluster = session->settings.cluster},
        .message_max = MESSAGE_MAX,
        .arena_max = 4 * MESSAGE_MAX,
    };
    struct status status = rpc_client_start(&options, &session->client);
    if (!status_ok(status)) {
        buffer_printf(
            error, "read the operator's certificate: %s (%s)%s%s", status_text(status.code),
            status.where != NULL ? status.where : "-", status.cause != 0 ? ": " : "",
            status.cause != 0 ? strerrordesc_np(status.cause) : "");
    }
    return status;
}

static struct status
start(struct cli *cli, bool is_quiet, struct buffer *error, struct session **ret_session)
{
    OWNED(session) struct session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        return FAIL(NO_MEMORY, "session");
    }
    session->cli = cli;
    session->is_quiet = is_quiet;
    TRY(config_load(
        session_config_path(cli), session_options,
        sizeof(session_options) / sizeof(session_options[0]), &cli->arena, &session->settings,
        error));
    TRY(connect_as(session, error));
    *ret_session = TAKE(session);
    return OK;
}

struct status session_open(struct cli *cli, struct session **ret_session)
{
    BUFFER(error, ERROR_MAX);
    struct status status = start(cli, false, &error, ret_session);
    if (!status_ok(status)) {
        while (error.size > 0 && error.data[error.size - 1] == '\n') {
            error.size--;
        }
        buffer_add_u8(&error, 0);
        cli_fail_text(
            cli, "%s",
            status_ok(buffer_status(&error)) ? (const char *)error.data : status_text(status.code));
    }
    return status;
}

struct status session_open_quiet(
    struct cli *cli, int64_t timeout_ms, struct buffer *error, struct session **ret_session)
{
    TRY(start(cli, true, error, ret_session));
    (*ret_session)->settings.timeout = (uint64_t)timeout_ms;
    return OK;
}

void session_free(struct session *session)
{
    if (session == NULL) {
        return;
    }
    for (size_t i = 0; i < session->replies_count; i++) {
        rpc_reply_free(session->replies[i]);
    }
    rpc_channel_free(session->peers[SESSION_KEYSTORE]);
    rpc_channel_free(session->peers[SESSION_CONTENTDB]);
    rpc_client_free(session->client);
    free(session);
}

static struct status call(
    struct session *session, struct rpc_channel *channel, const char *target,
    const struct rpc_request *request, const ProtobufCMessage **ret_reply)
{
    if (session->replies_count == REPLIES_MAX) {
        return FAIL(TOO_LARGE, "too many calls in one command");
    }
    struct rpc_reply *reply = NULL;
    struct status status = rpc_call_wait(channel, request, &reply);
    if (!status_ok(status) && !session->is_quiet) {
        fprintf(
            stderr, "triad: %s: %s at %s: %s (%s)\n", session->cli->command->words, request->method,
            target, status_text(status.code), status.where != NULL ? status.where : "-");
    }
    TRY(status);
    session->replies[session->replies_count++] = reply;
    *ret_reply = reply->message;
    return OK;
}

static struct rpc_request request_of(
    const struct session *session, const ProtobufCServiceDescriptor *service, const char *method,
    const ProtobufCMessage *message)
{
    return (struct rpc_request){
        .service = service,
        .method = method,
        .message = message,
        .deadline_ms = clock_monotonic_ms() + (int64_t)session->settings.timeout,
        .wait_for_ready = true,
    };
}

struct status session_call(
    struct session *session, enum session_peer peer, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *request, const ProtobufCMessage **ret_reply)
{
    bool is_keystore = peer == SESSION_KEYSTORE;
    const char *address =
        is_keystore ? session->settings.keystore_address : session->settings.contentdb_address;
    if (session->peers[peer] == NULL) {
        TRY(rpc_channel_open(
            session->client, address,
            is_keystore ? session->settings.keystore_tls_name
                        : session->settings.contentdb_tls_name,
            is_keystore ? RPC_ROLE_KEYSTORE : RPC_ROLE_CONTENTDB, &session->peers[peer]));
    }
    struct rpc_request call_request = request_of(session, service, method, request);
    return call(session, session->peers[peer], address, &call_request, ret_reply);
}

struct status session_call_node(
    struct session *session, const char *address, const char *tls_name,
    const ProtobufCServiceDescriptor *service, const char *method, const ProtobufCMessage *request,
    const ProtobufCMessage **ret_reply)
{
    OWNED(rpc_channel) struct rpc_channel *channel = NULL;
    TRY(rpc_channel_open(session->client, address, tls_name, RPC_ROLE_BLOBNODE, &channel));
    struct rpc_request call_request = request_of(session, service, method, request);
    return call(session, channel, address, &call_request, ret_reply);
}
