#include "lib/rpc/lane.h"

#include "lib/base/check.h"

#include <stdbool.h>
#include <stdlib.h>

struct lane {
    struct lane_options options;
    pthread_mutex_t mutex;
    struct lane_item *first; /* Queued, oldest first. */
    struct lane_item *last;
    size_t queued;
    unsigned calls;    /* In flight. */
    bool is_launching; /* A thread is in launch(). */
    pthread_cond_t rested;
};

struct batch {
    struct lane_item *items;
    size_t count;
};

struct status lane_new(const struct lane_options *options, struct lane **ret_lane)
{
    CHECK(options->items_max >= 1 && options->calls_max >= 1 && options->send != NULL);
    struct lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL) {
        return FAIL(NO_MEMORY, "lane");
    }
    lane->options = *options;
    CHECK(pthread_mutex_init(&lane->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&lane->rested, NULL) == 0);
    *ret_lane = lane;
    return OK;
}

void lane_free(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    pthread_mutex_lock(&lane->mutex);
    CHECK(lane->first == NULL);
    while (lane->calls > 0 || lane->is_launching) {
        pthread_cond_wait(&lane->rested, &lane->mutex);
    }
    pthread_mutex_unlock(&lane->mutex);
    pthread_cond_destroy(&lane->rested);
    pthread_mutex_destroy(&lane->mutex);
    free(lane);
}

/* The items of the next call: as many as fit, and at least one, however large. */
static struct batch take_batch(struct lane *lane)
{
    struct batch batch = {.items = lane->first};
    struct lane_item *end = NULL;
    size_t size = 0;
    while (lane->first != NULL && batch.count < lane->options.items_max) {
        struct lane_item *item = lane->first;
        if (batch.count > 0 &&
            (size >= lane->options.bytes_max || item->size > lane->options.bytes_max - size)) {
            break;
        }
        size += item->size;
        batch.count++;
        end = item;
        lane->first = item->next;
    }
    if (end != NULL) {
        end->next = NULL;
    }
    lane->queued -= batch.count;
    return batch;
}

/* The next call, counted as in flight; empty if there is none to start, and then the launching
 * thread is released from its duty under the same lock. */
static struct batch next_batch(struct lane *lane)
{
    LOCKED(&lane->mutex);
    if (lane->first == NULL || lane->calls >= lane->options.calls_max) {
        lane->is_launching = false;
        pthread_cond_broadcast(&lane->rested);
        return (struct batch){.items = NULL};
    }
    lane->calls++;
    return take_batch(lane);
}

/* Start what may start. Only one thread does, in a loop: send() may end its call at once and so
 * come back here through lane_done(), which must not recurse. */
static void launch(struct lane *lane)
{
    for (;;) {
        struct batch batch = next_batch(lane);
        if (batch.items == NULL) {
            return;
        }
        lane->options.send(lane->options.context, lane, batch.items, batch.count);
    }
}

/* With the lock held: true if the caller has to launch. */
static bool claim_launch(struct lane *lane)
{
    if (lane->is_launching || lane->first == NULL || lane->calls >= lane->options.calls_max) {
        return false;
    }
    lane->is_launching = true;
    return true;
}

static bool enqueue(struct lane *lane, struct lane_item *item)
{
    LOCKED(&lane->mutex);
    item->next = NULL;
    if (lane->first == NULL) {
        lane->first = item;
    } else {
        lane->last->next = item;
    }
    lane->last = item;
    lane->queued++;
    return claim_launch(lane);
}

static bool note_done(struct lane *lane)
{
    LOCKED(&lane->mutex);
    CHECK(lane->calls > 0);
    lane->calls--;
    pthread_cond_broadcast(&lane->rested);
    return claim_launch(lane);
}

void lane_submit(struct lane *lane, struct lane_item *item)
{
    if (enqueue(lane, item)) {
        launch(lane);
    }
}

void lane_done(struct lane *lane)
{
    if (note_done(lane)) {
        launch(lane);
    }
}

size_t lane_queued(struct lane *lane)
{
    LOCKED(&lane->mutex);
    return lane->queued;
}
