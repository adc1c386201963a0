#pragma once

/* Checks on the clock of this host, and on those of others against it. */

#include "cli/doctor.h"

/*
 * How far a clock is off when all errors are in its favour: FAIL above 60 s, where tokens are
 * refused (TOKEN_SKEW_S), WARN above 1 s.
 */
enum doctor_state doctor_clock_judge(int64_t offset_ms, int64_t uncertainty_ms);

/* Tell how a peer's clock stands, which said peer_ms (known to resolution_ms) between our two
 * times; nothing, for a peer that did not say (0). */
void doctor_clock_compare(
    struct doctor *doctor, const char *who, int64_t peer_ms, int64_t before_ms, int64_t after_ms,
    int64_t resolution_ms);

/* Whether the kernel's clock is held by a time service; no context. */
void doctor_clock_check(struct doctor *doctor, void *context);
