#include "contentdb/content_reply.h"

#include <stdlib.h>

struct content_reply {
    atomic_uint references;
    struct rpc_reply *reply; /* Owned. */
};

struct status content_reply_new(struct rpc_reply **take_reply, struct content_reply **ret_reply)
{
    struct content_reply *reply = malloc(sizeof(*reply));
    if (reply == NULL) {
        return FAIL(NO_MEMORY, "reply");
    }
    atomic_init(&reply->references, 1);
    reply->reply = TAKE(*take_reply);
    *ret_reply = reply;
    return OK;
}

struct content_reply *content_reply_ref(struct content_reply *reply)
{
    atomic_fetch_add_explicit(&reply->references, 1, memory_order_relaxed);
    return reply;
}

const ProtobufCMessage *content_reply_message(const struct content_reply *reply)
{
    return reply->reply->message;
}

void content_reply_free(struct content_reply *reply)
{
    if (reply == NULL ||
        atomic_fetch_sub_explicit(&reply->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    rpc_reply_free(reply->reply);
    free(reply);
}
