#pragma once

/*
 * What a content DB answered, kept as the messages that came: the results of content_client.h
 * point into it. Replies to coalesced items share one message, so a reply is counted; free it as
 * if it were one's own. Any thread.
 */

#include "lib/base/cleanup.h"
#include "lib/rpc/rpc_client.h"

#include <stdatomic.h>

struct content_reply;

/* Take over a reply; the caller holds one reference. */
MUST_CHECK struct status
content_reply_new(struct rpc_reply **take_reply, struct content_reply **ret_reply);
struct content_reply *content_reply_ref(struct content_reply *reply);
const ProtobufCMessage *content_reply_message(const struct content_reply *reply);
void content_reply_free(struct content_reply *reply);

DEFINE_OWNED(content_reply)
