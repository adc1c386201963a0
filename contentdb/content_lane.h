#pragma once

/*
 * Lookup or Commit items of many threads in one call: a lane whose submitters block. The item is
 * borrowed until the return.
 */

#include "contentdb/content_reply.h"
#include "contentdb/content_seen.h"
#include "lib/rpc/lane.h"

struct content_lane;

enum content_lane_kind { CONTENT_LANE_LOOKUP, CONTENT_LANE_COMMIT };

struct content_lane_options {
    enum content_lane_kind kind;
    struct rpc_channel *channel; /* Outlives us, as seen. */
    struct content_seen *seen;
    unsigned calls_max;
};

MUST_CHECK struct status
content_lane_new(const struct content_lane_options *options, struct content_lane **ret_lane);
void content_lane_free(struct content_lane *lane);

/*
 * Send an item (a LookupItem or CommitItem), wait for its answer (a LookupResult or CommitResult,
 * which points into the reply). ret_was_sent, also set on failure: false where the item certainly
 * never left.
 */
MUST_CHECK struct status content_lane_call(
    struct content_lane *lane, const ProtobufCMessage *item, int64_t deadline_ms,
    struct content_reply **ret_reply, const ProtobufCMessage **ret_result, bool *ret_was_sent);

DEFINE_OWNED(content_lane)
