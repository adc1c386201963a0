#pragma once

/* Where a fragment that was lost goes. Pure. */

#include "lib/cluster/placement.h"

/*
 * An account, up, for fragment index of a chunk whose fragments lie in accounts[0..fragments): no
 * other fragment is there, and its node has as few others as any. The fragment's own account is
 * taken only if every other one lies on a fuller node, and never when may_stay is false.
 * candidates is changed. UNAVAILABLE when there is none.
 */
MUST_CHECK struct status repair_place_choose(
    struct placement_candidate *candidates, size_t count, const uint32_t *accounts,
    unsigned fragments, unsigned index, bool may_stay, const uint8_t random[8],
    uint32_t *ret_account);
