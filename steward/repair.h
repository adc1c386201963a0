#pragma once

/*
 * The repair queue: chunks whose fragments are missing or damaged come back to full redundancy.
 *
 * For each task: read what is there and verify it by its tags, rebuild, verify again, then reserve
 * the new place in the content DB, write, confirm (DESIGN 8). A rebuilt fragment is bit-identical,
 * so no key that opens data is needed. What a node did not answer for is left as it is.
 */

#include "frontend/fragment_client.h"

struct repair;

struct repair_options {
    struct content_client *content; /* Outlive us. */
    struct fragment_client *fragments;
    int64_t call_timeout_ms;
    int64_t idle_interval_ms;
};

/* Start the thread: it takes the steward's lease and works while it holds it. */
MUST_CHECK struct status
repair_start(const struct repair_options *options, struct repair **ret_repair);
void repair_free(struct repair *repair);

DEFINE_OWNED(repair)
