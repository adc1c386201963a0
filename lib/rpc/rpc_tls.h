#pragma once

/*
 * The certificate files of a process: read, checked, and read anew when they changed.
 *
 * gRPC 1.51 has no setting for the TLS version. What forbids 1.2 is a list of suites that an
 * ECDSA certificate cannot use there; rpc_tls_library_init() sets it, and a key that is not EC is
 * refused here, so that the trick holds.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"
#include "lib/rpc/rpc_server.h"

#include <grpc/grpc_security.h>

/* grpc_init with our environment; undone by grpc_shutdown. */
void rpc_tls_library_init(void);

/* PEM texts and the fingerprint of the leaf. The key is wiped when freed. */
struct rpc_tls_material {
    char *ca;   /* Owned. */
    char *cert; /* Owned. */
    char *key;  /* Owned. */
    uint8_t cert_sha256[32];
};
void rpc_tls_material_free(struct rpc_tls_material *material);
DEFINE_OWNED(rpc_tls_material)

/* Watches three files. Any thread. */
struct rpc_tls;
MUST_CHECK struct status rpc_tls_new(const struct rpc_tls_files *files, struct rpc_tls **ret_tls);
void rpc_tls_free(struct rpc_tls *tls);
DEFINE_OWNED(rpc_tls)

const char *rpc_tls_cluster(const struct rpc_tls *tls);

/* OK if the files could be used now. */
MUST_CHECK struct status rpc_tls_check(struct rpc_tls *tls);

/*
 * The material if the files changed since the last that was given out, or NULL. Files that do not
 * fit together (a renewal half done) fail and are looked at again the next time.
 */
MUST_CHECK struct status rpc_tls_poll(struct rpc_tls *tls, struct rpc_tls_material **ret_material);

/* Server credentials that ask tls at each handshake; tls outlives the server. */
MUST_CHECK struct status
rpc_tls_server_credentials(struct rpc_tls *tls, grpc_server_credentials **ret_credentials);

/* Client credentials that accept only a server of this role in this cluster. */
MUST_CHECK struct status rpc_tls_channel_credentials(
    const struct rpc_tls_material *material, const char *cluster, enum rpc_role role,
    grpc_channel_credentials **ret_credentials);
