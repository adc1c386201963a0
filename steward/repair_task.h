#pragma once

/* One task of the repair queue, from its rows to the confirmed fragments. One thread. */

#include "steward/repair.h"

/*
 * OK: the task is over and was finished in the content DB. Any other status: it stays in the queue
 * and is tried again; DENIED: this steward is no longer the active one.
 */
MUST_CHECK struct status repair_task_run(
    const struct repair_options *options, uint32_t steward_fence,
    const Triad__Content__RepairTask *task);
