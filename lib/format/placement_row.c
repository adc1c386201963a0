/*
 * placement = (k+m) x chunks entries { account u32, copy u8, state u8 },
 *             then the targets { account u32, copy u8 } of the moving ones in entry order
 */

#include "lib/format/placement_row.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

void placement_encode(struct buffer *row, const struct placement_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK(entries[i].state >= PLACEMENT_STORED && entries[i].state <= PLACEMENT_MOVING);
        buffer_add_u32(row, entries[i].account);
        buffer_add_u8(row, entries[i].copy);
        buffer_add_u8(row, entries[i].state);
    }
    for (size_t i = 0; i < count; i++) {
        if (entries[i].state == PLACEMENT_MOVING) {
            buffer_add_u32(row, entries[i].target_account);
            buffer_add_u8(row, entries[i].target_copy);
        }
    }
}

struct status placement_decode(struct bytes row, struct placement_entry *entries, size_t count)
{
    struct reader reader = reader_of(row);
    for (size_t i = 0; i < count; i++) {
        /* One by one: the order of initialisers in a list is not that of the bytes. */
        entries[i] = (struct placement_entry){0};
        entries[i].account = reader_u32(&reader);
        entries[i].copy = reader_u8(&reader);
        entries[i].state = reader_u8(&reader);
        if (reader_failed(&reader)) {
            return FAIL(CORRUPT, "length of a placement row");
        }
        if (entries[i].state < PLACEMENT_STORED || entries[i].state > PLACEMENT_MOVING) {
            return FAIL(CORRUPT, "state in a placement row");
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (entries[i].state == PLACEMENT_MOVING) {
            entries[i].target_account = reader_u32(&reader);
            entries[i].target_copy = reader_u8(&reader);
        }
    }
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "length of a placement row");
}
