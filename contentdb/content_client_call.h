#pragma once

/* What the files of the client share. */

#include "contentdb/content_client.h"

/* One call of any method: the request goes out with what we have seen, and the reply must not be
 * older than that. */
MUST_CHECK struct status content_client_call(
    struct content_client *client, const char *method, const ProtobufCMessage *request,
    int64_t deadline_ms, struct content_reply **ret_reply);
