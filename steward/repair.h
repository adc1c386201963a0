#pragma once

/*
 * Bring one chunk back to full redundancy: read what is there, check it by the tags, rebuild what
 * is not, put it where a reservation in the placement says, confirm. A rebuilt fragment is
 * bit-identical, so no key that opens data is needed, and no tag is ever made. One thread.
 */

#include "contentdb/content_client.h"
#include "frontend/chunk_pool.h"
#include "frontend/erasure_table.h"
#include "frontend/fragment_client.h"

struct repair_options {
    struct content_client *content; /* Outlive every repair. */
    struct fragment_client *fragments;
    struct erasure_table *erasures;
    struct chunk_pool *pool;
    uint32_t steward_fence; /* Of the active steward. */
    int64_t fragment_timeout_ms;
    int64_t call_timeout_ms;
};

/* OK: nothing is missing any more and the task is gone. BUSY: something is still away, and the
 * task stays. STALE: another steward is active. */
MUST_CHECK struct status
repair_run(const struct repair_options *options, const Triad__Content__RepairTask *task);

/* What is to be done about fragment i, from its verdict and its entry. */
enum repair_action {
    REPAIR_NOTHING,
    REPAIR_CONFIRM,  /* It is there although its entry says missing. */
    REPAIR_IN_PLACE, /* Put it where the entry says. */
    REPAIR_MOVE,     /* Reserve another place first. */
    REPAIR_WAIT,     /* Its node is away: it may be there. */
};
enum repair_action repair_decide(bool is_good, bool is_gone, bool is_missing, bool account_is_up);
