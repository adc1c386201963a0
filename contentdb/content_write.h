#pragma once

/* Handlers of Commit and Resolve. */

#include "lib/rpc/rpc_server.h"

rpc_handler_fn content_write_commit;
rpc_handler_fn content_write_resolve;
