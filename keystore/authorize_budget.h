#pragma once

/*
 * How many items a second one certificate may have judged: a bucket of tokens each, a second deep.
 * A stolen frontend can be slow at most. Any thread.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct authorize_budget;

/* rate_max 0: no limit. */
MUST_CHECK struct status
authorize_budget_new(uint64_t rate_max, struct authorize_budget **ret_budget);
void authorize_budget_free(struct authorize_budget *budget);

/* How many of count items may go at now_us (clock_monotonic_us). */
size_t authorize_budget_take(
    struct authorize_budget *budget, const uint8_t cert_sha256[32], size_t count, int64_t now_us);

DEFINE_OWNED(authorize_budget)
