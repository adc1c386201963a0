#pragma once

/*
 * Who is at the other end: role, node id and certificate of a peer, from its mutual TLS 1.3
 * certificate. The SAN URI is triad://<cluster>/<role>/<id>. Role operator is accepted only from
 * the operators CA, every other role only from the services CA (DESIGN 1).
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

enum rpc_role {
    RPC_ROLE_FRONTEND = 1,
    RPC_ROLE_BLOBNODE = 2,
    RPC_ROLE_CONTENTDB = 4,
    RPC_ROLE_KEYSTORE = 8,
    RPC_ROLE_STEWARD = 16,
    RPC_ROLE_OPERATOR = 32,
};

enum { RPC_URI_MAX = 255, RPC_ID_MAX = 63 };

struct rpc_peer {
    enum rpc_role role;
    char id[RPC_ID_MAX + 1];
    char uri[RPC_URI_MAX + 1];
    uint8_t cert_sha256[32]; /* Of the DER certificate: cnf of tokens and grants. */
};

/* "frontend" <-> RPC_ROLE_FRONTEND; 0 for an unknown name. */
enum rpc_role rpc_role_of_name(struct bytes name);
const char *rpc_role_name(enum rpc_role role);

/* Split a SAN URI; INVALID unless it is exactly triad://<cluster>/<role>/<id>. */
MUST_CHECK struct status
rpc_identity_parse(struct bytes uri, const char *cluster, struct rpc_peer *ret_peer);

/*
 * The peer behind a PEM leaf: SAN URI and fingerprint, and the issuer's common name checked
 * against the role: operators are issued by "triad operators CA", all others by
 * "triad services CA". DENIED with the reason.
 */
MUST_CHECK struct status
rpc_identity_of_pem(struct bytes pem, const char *cluster, struct rpc_peer *ret_peer);
