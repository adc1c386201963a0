#pragma once

/*
 * Our outcomes as gRPC statuses and back.
 *
 * gRPC has fewer codes than we have, so the status message starts with our code's name
 * ("STALE: superseded by something newer"); gRPC's own code is what foreign clients read.
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

#include <grpc/status.h>

enum { RPC_DETAILS_MAX = 96 };

grpc_status_code rpc_codec_code(enum status_code code);

/* The status message for a code: name and fixed text, NUL-terminated. */
void rpc_codec_details(enum status_code code, char ret_details[RPC_DETAILS_MAX]);

/*
 * The outcome behind a finished call. A message that starts with a name of ours is the peer's
 * word. Else gRPC itself failed the call: UNAVAILABLE only where no connection stood, so that the
 * request certainly was not processed; a connection lost on the way is UNKNOWN.
 */
MUST_CHECK struct status rpc_codec_status(grpc_status_code code, struct bytes details);
