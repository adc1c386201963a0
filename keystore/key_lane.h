#pragma once

/* The lane of key_client_authorize: items of many threads, few calls. Any thread. */

#include "keystore/key_authorize.h"
#include "lib/rpc/lane.h"
#include "lib/rpc/rpc_client.h"

struct key_lane;

/* The channel outlives the lane. */
MUST_CHECK struct status key_lane_new(
    struct rpc_channel *channel, unsigned calls_max, size_t items_max, struct key_lane **ret_lane);

/* Waits for calls whose items nobody waits for any more. */
void key_lane_free(struct key_lane *lane);

MUST_CHECK struct status key_lane_authorize(
    struct key_lane *lane, const struct key_authorize_item *item, int64_t deadline_ms,
    struct key_authorize_result **ret_result);

DEFINE_OWNED(key_lane)
