#pragma once

/* Handlers of buckets, leases, accounts and Status. */

#include "lib/rpc/rpc_server.h"

rpc_handler_fn content_admin_create_bucket;
rpc_handler_fn content_admin_delete_bucket;
rpc_handler_fn content_admin_list_buckets;
rpc_handler_fn content_admin_open_lease;
rpc_handler_fn content_admin_renew_lease;
rpc_handler_fn content_admin_list_accounts;
rpc_handler_fn content_admin_add_account;
rpc_handler_fn content_admin_status;
