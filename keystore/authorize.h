#pragma once

/*
 * Authorize (DESIGN 4): proof, release, audit, in this order and for many items a call. Nothing is
 * released before the audit records of the whole call are durable. Any thread.
 */

#include "keystore/key_service.h"

/*
 * Judge count items for one peer. results are zeroed, one an item, and the caller wipes and frees
 * what they own. arena: for the parsed requests.
 */
void authorize_run(
    struct key_service *service, const struct rpc_peer *peer,
    const struct key_authorize_item *items, size_t count, struct arena *arena,
    struct key_authorize_result *results);
