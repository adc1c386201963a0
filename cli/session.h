#pragma once

/*
 * An operator's connections: the cluster file and one channel to each daemon that is asked.
 *
 * The file has the keys of session.def: cluster, ca_file, cert_file, key_file and the addresses.
 */

#include "cli/cli.h"
#include "lib/rpc/rpc_client.h"

struct session;

/* Read the cluster file (--config or ~/.triad/triad.conf) and prepare TLS. On failure the reason
 * was printed. */
MUST_CHECK struct status session_open(struct cli *cli, struct session **ret_session);
void session_free(struct session *session);

enum session_peer { SESSION_KEYSTORE, SESSION_CONTENTDB };

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

DEFINE_OWNED(session)
