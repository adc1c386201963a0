#pragma once

/*
 * Who the peer of a call is, without parsing its certificate each time.
 *
 * The last certificates seen are kept with what was read from them; the whole PEM text is
 * compared, so that no two certificates can be confused. One thread.
 */

#include "lib/base/cleanup.h"
#include "lib/rpc/rpc_identity.h"

#include <grpc/grpc_security.h>

struct rpc_peer_cache;

MUST_CHECK struct status rpc_peer_cache_new(const char *cluster, struct rpc_peer_cache **ret_cache);
void rpc_peer_cache_free(struct rpc_peer_cache *cache);
DEFINE_OWNED(rpc_peer_cache)

/* DENIED as rpc_identity_of_pem; UNAUTHENTICATED without a certificate. */
MUST_CHECK struct status
rpc_peer_cache_get(struct rpc_peer_cache *cache, grpc_call *call, struct rpc_peer *ret_peer);
