#pragma once

/* Handlers that read, on snapshots: ResolveBucket, Lookup, Pages, List. */

#include "lib/rpc/rpc_server.h"

rpc_handler_fn content_read_resolve_bucket;
rpc_handler_fn content_read_lookup;
rpc_handler_fn content_read_pages;
rpc_handler_fn content_read_list;
