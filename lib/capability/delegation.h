#pragma once

/*
 * A delegation, "TKD1": the offline root says which online key may sign keysets, and for how long.
 * Drawn in delegation.c. keyset.h has what others use; this is between the two files.
 */

#include "lib/base/encode.h"
#include "lib/capability/keyset.h"

struct delegation {
    enum signature_alg alg; /* Of the online key. */
    uint64_t nbf;
    uint64_t naf;
    struct bytes spki; /* Borrowed from what was read. */
};

/*
 * Read one delegation and verify it against the root at now_s (+- 60 s). INVALID names a field that
 * is malformed, DENIED says why it does not hold.
 */
MUST_CHECK struct status delegation_read(
    struct reader *reader, enum signature_alg root_alg, struct bytes root_spki, uint64_t now_s,
    struct delegation *ret_delegation);
