#pragma once

/* Handlers of multipart uploads; UploadPart is a Commit. */

#include "lib/rpc/rpc_server.h"

rpc_handler_fn content_multipart_create;
rpc_handler_fn content_multipart_list_parts;
rpc_handler_fn content_multipart_complete;
rpc_handler_fn content_multipart_abort;
rpc_handler_fn content_multipart_list_uploads;
