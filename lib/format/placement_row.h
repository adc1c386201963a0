#pragma once

/*
 * The placement of a manifest page, FORMATS 5: for each chunk k+m entries, then the targets of the
 * moving ones in entry order.
 *
 *   entry  { account u32, copy u8, state u8 }      target { account u32, copy u8 }
 */

#include "lib/base/arena.h"
#include "lib/base/buffer.h"
#include "lib/base/status.h"

enum placement_state { PLACEMENT_STORED = 1, PLACEMENT_MISSING = 2, PLACEMENT_MOVING = 3 };

struct placement_entry {
    uint32_t account;
    uint8_t copy;
    uint8_t state;
    uint32_t target_account; /* Of a moving entry. */
    uint8_t target_copy;
};

/* Append the encoding of count entries (chunks * (k+m)). */
void placement_encode(struct buffer *row, const struct placement_entry *entries, size_t count);

/* Decode exactly count entries into entries (which has room); CORRUPT if they do not fit exactly.
 */
MUST_CHECK struct status
placement_decode(struct bytes row, struct placement_entry *entries, size_t count);
