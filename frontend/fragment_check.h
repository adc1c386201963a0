#pragma once

/* Is a whole fragment what the writer made? Its tag in the manifest says, under the cluster's
 * integrity key. Any thread. */

#include "frontend/chunk_reader.h"

/* CORRUPT unless the bytes fit the tag of fragment index; UNAVAILABLE without the key. */
MUST_CHECK struct status fragment_check(
    struct fragment_client *client, const struct chunk_reference *reference, unsigned index,
    struct bytes fragment);
