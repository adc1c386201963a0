/* The admin ports that --admin names: the only way to ask a frontend or a steward. */

#include "cli/doctor_clock.h"
#include "cli/doctor_cluster.h"
#include "cli/doctor_dial.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <string.h>

enum { DATE_RESOLUTION_MS = 500 };

static void tell_admin(struct doctor *doctor, const char *address)
{
    struct doctor_dial_answer answer;
    int64_t before_ms = clock_wall_ms();
    struct status status = doctor_dial_health(address, &answer);
    int64_t after_ms = clock_wall_ms();
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "start it, or set the address and the way to it right", "%s: %s", address,
            doctor_why(doctor, status));
        return;
    }
    const char *slash = strchr(answer.server, '/');
    if (strncmp(answer.server, "triad-", 6) != 0 || slash == NULL) {
        doctor_fail(
            doctor, "name the admin_listen of a daemon", "%s is not an admin port of Triad's",
            address);
        return;
    }
    const char *who = arena_printf(
        &doctor->cli->arena, "%.*s at %s", (int)(slash - answer.server - 6), answer.server + 6,
        address);
    CHECK(who != NULL);
    doctor_cluster_tell_version(doctor, who, slash + 1);
    if (answer.date_s != 0) {
        doctor_clock_compare(
            doctor, who, answer.date_s * 1000 + DATE_RESOLUTION_MS, before_ms, after_ms,
            DATE_RESOLUTION_MS);
    }
    if (answer.code != 200) {
        doctor_fail(
            doctor, "see to what it waits for, and its log", "%s is not ready: %s", who,
            answer.line);
        return;
    }
    doctor_ok(doctor, "%s: %s", who, answer.line);
}

void doctor_cluster_check_admin(struct doctor *doctor, void *context)
{
    (void)context;
    const char *address;
    for (size_t i = 0; (address = cli_text_at(doctor->cli, "admin", i)) != NULL; i++) {
        tell_admin(doctor, address);
    }
}
