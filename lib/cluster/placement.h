#pragma once

/*
 * Where the fragments of a chunk go (DESIGN 5): the layout k+m that the accounts up now allow, and
 * distinct accounts on distinct nodes as far as there are enough. Nothing is computed from names:
 * the choice is random, by power of two choices on free space. Pure functions.
 */

#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    PLACEMENT_SMALL_MAX = 64 * 1024 - 1, /* Objects up to here: one data fragment, copies. */
    PLACEMENT_FRAGMENTS_MAX = 24,
    PLACEMENT_USED_MAX = 72, /* With the tries that failed. */
};

/* An account as a writer sees it. */
struct placement_candidate {
    uint32_t account;
    uint32_t node;       /* Equal for accounts on one node. */
    bool is_up;          /* Active, its node reachable. */
    uint64_t free_bytes; /* 0: not known, counts as much. */
};

struct placement_layout {
    unsigned k;
    unsigned m;
    bool is_reduced; /* Less than the default for this size: say so loudly. */
};

/* The layouts wanted when everything is there. */
struct placement_policy {
    uint64_t small_max; /* Bytes up to which small_* holds. */
    unsigned small_k;
    unsigned small_m;
    unsigned large_k;
    unsigned large_m;
};

struct placement_policy placement_policy_default(void);

/*
 * The layout for an object or part of length bytes. The large layout needs at least k+1 accounts
 * up of k+m known, the small one 2 of the known; where fewer than small_k+small_m accounts exist
 * at all, 1+1 or 1+0. UNAVAILABLE when not even that is up.
 */
MUST_CHECK struct status placement_layout_choose(
    const struct placement_policy *policy, uint64_t length,
    const struct placement_candidate *candidates, size_t count,
    struct placement_layout *ret_layout);

/*
 * Choose wanted accounts into chosen. Accounts that are up come first; when they do not suffice
 * the rest are down ones (their fragments will be missing and repaired). Returns how many of the
 * chosen are up; they stand first. UNAVAILABLE when there are fewer accounts than wanted.
 * random: at least 4 * wanted + 4 bytes of randomness.
 */
MUST_CHECK struct status placement_choose(
    const struct placement_candidate *candidates, size_t count, unsigned wanted,
    const uint8_t *random, uint32_t *chosen, unsigned *ret_up);

/* One more account, up, not among used; preferably on a node not among theirs. UNAVAILABLE when
 * there is none. */
MUST_CHECK struct status placement_choose_other(
    const struct placement_candidate *candidates, size_t count, const uint32_t *used,
    size_t used_count, const uint8_t random[8], uint32_t *ret_account);
