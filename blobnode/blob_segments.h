#pragma once

/*
 * What each segment of an account still holds, so that one in which nothing is needed can go.
 *
 * A segment is needed while it holds a blob that is live or in the trash, and while it holds a
 * tombstone whose blob's record still lies in another segment: without the tombstone that record
 * would come to life at the next open. One thread at a time.
 */

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct blob_segments;

MUST_CHECK struct status blob_segments_new(struct blob_segments **ret_segments);
void blob_segments_free(struct blob_segments *segments);

/* Without memory for these, nothing is ever called dead again: the next open counts anew. */
void blob_segments_add_blob(struct blob_segments *segments, uint32_t number);
void blob_segments_drop_blob(struct blob_segments *segments, uint32_t number);
void blob_segments_add_tombstone(
    struct blob_segments *segments, uint32_t number, uint32_t blob_number);

/* Append (segment u32, segment u32 of a blob that a tombstone in it is for, or itself) for each:
 * what blob_segments_add_tombstone takes again. UNAVAILABLE when something was not counted. */
MUST_CHECK struct status blob_segments_add_pins(
    const struct blob_segments *segments, struct buffer *to, uint64_t *ret_count);

/* Any segment below `before` that nothing needs; 0 if there is none. */
uint32_t blob_segments_dead(const struct blob_segments *segments, uint64_t before);

/* Its file is gone. */
void blob_segments_removed(struct blob_segments *segments, uint32_t number);

DEFINE_OWNED(blob_segments)
