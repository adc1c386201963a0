#pragma once

/*
 * The highest (fence, seq) that a client has seen of a shard: sent with each call, and the least
 * that a reply to it may carry. Any thread.
 */

#include "lib/base/status.h"
#include "proto/content.pb-c.h"

#include <pthread.h>

struct content_seen {
    pthread_mutex_t mutex;
    uint32_t fence;
    uint64_t seq;
};

void content_seen_init(struct content_seen *seen);
void content_seen_done(struct content_seen *seen);

void content_seen_get(struct content_seen *seen, Triad__Content__Position *ret_position);

/* STALE if reply is older than what was sent with its request; else remember it. */
MUST_CHECK struct status content_seen_check(
    struct content_seen *seen, const Triad__Content__Position *sent,
    const Triad__Content__Position *reply);

/* The "position" of any reply; NULL if it has none. */
const Triad__Content__Position *content_seen_of(const ProtobufCMessage *reply);
/* Set the "seen" of any request that has one. */
void content_seen_set(ProtobufCMessage *request, Triad__Content__Position *position);
