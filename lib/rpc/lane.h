#pragma once

/*
 * A lane towards one peer (DESIGN 4): while a call is in flight, items queue, and all go in the
 * next one. No timer: an idle lane sends at once. Any thread.
 *
 * The caller embeds struct lane_item in its own item. send() is called with items to go out in
 * one call, without the lane's lock, on a submitting thread or on the polling thread; it starts
 * one call (rpc_start) and, when that ended, settles each item itself and calls lane_done() once.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct lane;

struct lane_item {
    struct lane_item *next;
    size_t size; /* Bytes it adds to a call. */
};

/* items: a list by next, count of them. Must not block. */
typedef void lane_send_fn(void *context, struct lane *lane, struct lane_item *items, size_t count);

struct lane_options {
    size_t items_max;   /* In one call. */
    size_t bytes_max;   /* In one call. */
    unsigned calls_max; /* In flight at once. */
    lane_send_fn *send;
    void *context; /* Outlives the lane. */
};

MUST_CHECK struct status lane_new(const struct lane_options *options, struct lane **ret_lane);

/* Nothing may be queued. Waits for calls whose items are settled but whose lane_done() is still to
 * come, so not from a done function. */
void lane_free(struct lane *lane);

void lane_submit(struct lane *lane, struct lane_item *item);

/* One call ended: the next may go. */
void lane_done(struct lane *lane);

/* Items queued, for metrics and admission. */
size_t lane_queued(struct lane *lane);

DEFINE_OWNED(lane)
