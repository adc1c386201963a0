#pragma once

/*
 * An operator's connections: the cluster file and one channel to each daemon that is asked.
 *
 * The file has the keys of session.def: cluster, ca_file, cert_file, key_file and the addresses.
 */

#include "cli/cli.h"
#include "lib/base/buffer.h"
#include "lib/rpc/rpc_client.h"

struct session;

/* Read the cluster file (--config or ~/.triad/triad.conf) and prepare TLS. On failure the reason
 * was printed. */
MUST_CHECK struct status session_open(struct cli *cli, struct session **ret_session);

/* The same for one who tells failures in words of its own: nothing is printed, here or by the
 * calls, and a call takes at most timeout_ms. Why it failed is appended to error. */
MUST_CHECK struct status session_open_quiet(
    struct cli *cli, int64_t timeout_ms, struct buffer *error, struct session **ret_session);
void session_free(struct session *session);

enum session_peer { SESSION_KEYSTORE, SESSION_CONTENTDB };

/* Where the cluster file is: --config, or the default. */
const char *session_config_path(struct cli *cli);

/* One call to the key store or the content DB; failures are printed. The reply is the session's
 * until it is freed. */
MUST_CHECK struct status session_call(
    struct session *session, enum session_peer peer, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *request, const ProtobufCMessage **ret_reply);

/* The same to a blob node. */
MUST_CHECK struct status session_call_node(
    struct session *session, const char *address, const char *tls_name,
    const ProtobufCServiceDescriptor *service, const char *method, const ProtobufCMessage *request,
    const ProtobufCMessage **ret_reply);

/* A bytes field of a message. */
static inline struct bytes session_bytes(const ProtobufCBinaryData *field)
{
    return bytes_of(field->data, field->len);
}

DEFINE_OWNED(session)
