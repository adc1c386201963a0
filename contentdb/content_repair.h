#pragma once

/* Handlers of the repair queue and of the steward. */

#include "lib/rpc/rpc_server.h"

rpc_handler_fn content_repair_report;
rpc_handler_fn content_repair_take_steward;
rpc_handler_fn content_repair_next;
rpc_handler_fn content_repair_reserve;
rpc_handler_fn content_repair_confirm;
rpc_handler_fn content_repair_finish;
