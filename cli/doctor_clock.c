#include "cli/doctor_clock.h"

#include "lib/capability/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

enum { WARN_MS = 1000, FAIL_MS = TOKEN_SKEW_S * 1000 };

static const char synchronise[] = "run a time service on every host (chrony, systemd-timesyncd)";

enum doctor_state doctor_clock_judge(int64_t offset_ms, int64_t uncertainty_ms)
{
    int64_t surely_ms = llabs(offset_ms) - uncertainty_ms;
    if (surely_ms > FAIL_MS) {
        return DOCTOR_FAIL;
    }
    return surely_ms > WARN_MS ? DOCTOR_WARN : DOCTOR_OK;
}

void doctor_clock_compare(
    struct doctor *doctor, const char *who, int64_t peer_ms, int64_t before_ms, int64_t after_ms,
    int64_t resolution_ms)
{
    if (peer_ms == 0) {
        return;
    }
    int64_t offset_ms = peer_ms - (before_ms + after_ms) / 2;
    int64_t uncertainty_ms = (after_ms - before_ms + 1) / 2 + resolution_ms;
    doctor_tell(
        doctor, doctor_clock_judge(offset_ms, uncertainty_ms), synchronise,
        "%s: %.3f s %s this host's clock, known to %.3f s", who, (double)llabs(offset_ms) / 1000,
        offset_ms < 0 ? "behind" : "ahead of", (double)uncertainty_ms / 1000);
}

void doctor_clock_check(struct doctor *doctor, void *context)
{
    (void)context;
    struct timex timex = {.modes = 0};
    int state = adjtimex(&timex);
    if (state < 0) {
        doctor_warn(
            doctor, synchronise, "the kernel does not tell its clock's state: %s",
            strerrordesc_np(errno));
        return;
    }
    if (state == TIME_ERROR || (timex.status & STA_UNSYNC) != 0) {
        doctor_warn(
            doctor, synchronise,
            "the kernel says that nobody keeps its clock right (in a container: ask the host)");
        return;
    }
    doctor_ok(
        doctor, "kept by a time service, off by at most %.0f ms", (double)timex.maxerror / 1000);
}
