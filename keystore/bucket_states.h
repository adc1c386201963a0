#pragma once

/*
 * creating -> active -> deleting: the states of a bucket in the key store. A bucket that is
 * dropped while creating vanishes; an active one keeps its keys in state deleting, so that a
 * wrong frontend cannot shred what the content DB still holds. Any thread.
 */

#include "keystore/key_release.h"

/* creating -> active; OK if it is active. NOT_FOUND: gone. */
MUST_CHECK struct status
bucket_states_activate(struct vault *vault, const struct id16 *tenant, const struct id16 *bucket);

/* only_creating: of a handle that made the bucket. CONFLICT if it is active by now. OK if it is
 * gone or deleting. */
MUST_CHECK struct status bucket_states_drop(
    struct vault *vault, const struct id16 *tenant, const struct id16 *bucket, bool only_creating);
