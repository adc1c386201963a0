#include "contentdb/content_seen.h"

#include "lib/base/cleanup.h"

void content_seen_init(struct content_seen *seen)
{
    *seen = (struct content_seen){.fence = 0};
    pthread_mutex_init(&seen->mutex, NULL);
}

void content_seen_done(struct content_seen *seen)
{
    pthread_mutex_destroy(&seen->mutex);
}

void content_seen_get(struct content_seen *seen, Triad__Content__Position *ret_position)
{
    triad__content__position__init(ret_position);
    LOCKED(&seen->mutex);
    ret_position->fence = seen->fence;
    ret_position->seq = seen->seq;
}

static bool is_below(uint32_t fence, uint64_t seq, uint32_t other_fence, uint64_t other_seq)
{
    return fence < other_fence || (fence == other_fence && seq < other_seq);
}

struct status content_seen_check(
    struct content_seen *seen, const Triad__Content__Position *sent,
    const Triad__Content__Position *reply)
{
    if (reply == NULL) {
        return OK;
    }
    if (is_below(reply->fence, reply->seq, sent->fence, sent->seq)) {
        return FAIL(STALE, "the content DB answered from an older state");
    }
    LOCKED(&seen->mutex);
    if (is_below(seen->fence, seen->seq, reply->fence, reply->seq)) {
        seen->fence = reply->fence;
        seen->seq = reply->seq;
    }
    return OK;
}

/* Where a message keeps the pointer of that name, or NULL. */
static const void *field_of(const ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return field == NULL ? NULL : (const char *)message + field->offset;
}

const Triad__Content__Position *content_seen_of(const ProtobufCMessage *reply)
{
    const void *field = field_of(reply, "position");
    return field == NULL ? NULL : *(const Triad__Content__Position *const *)field;
}

void content_seen_set(ProtobufCMessage *request, Triad__Content__Position *position)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(request->descriptor, "seen");
    if (field != NULL) {
        void *at = (char *)request + field->offset;
        *(Triad__Content__Position **)at = position;
    }
}
