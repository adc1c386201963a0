#pragma once

/*
 * What `triad doctor` finds: findings of a subject's checks, told as they come and counted.
 *
 * A check is a row (name, function) of a table; it reports one finding or several with doctor_ok,
 * doctor_warn and doctor_fail. WARN: it works, but not well or not for long. FAIL: it does not, or
 * a secret lies open. Both say what to do.
 */

#include "cli/cli.h"

enum doctor_state { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_STATES };

struct doctor {
    struct cli *cli; /* Outlives us. */
    cJSON *findings; /* An array, owned. */
    unsigned counts[DOCTOR_STATES];
    const char *subject; /* What is looked at, as "blob1 (blobnode)"; a literal or in the arena. */
    const char *check;   /* The row's name. */
};

struct doctor_check {
    const char *name; /* NULL ends a table. */
    void (*run)(struct doctor *doctor, void *context);
};

void doctor_init(struct doctor *doctor, struct cli *cli);

/* Run a table's checks on one subject. */
void doctor_run(
    struct doctor *doctor, const char *subject, const struct doctor_check *checks, void *context);

void doctor_ok(struct doctor *doctor, const char *found, ...) __attribute__((format(printf, 2, 3)));
void doctor_warn(struct doctor *doctor, const char *advice, const char *found, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_fail(struct doctor *doctor, const char *advice, const char *found, ...)
    __attribute__((format(printf, 3, 4)));
/* The state is the caller's judgement; advice is not told with OK. */
void doctor_tell(
    struct doctor *doctor, enum doctor_state state, const char *advice, const char *found, ...)
    __attribute__((format(printf, 4, 5)));

/* Print the sum, or the whole as JSON; frees what is owned. The exit code: 1 after a FAIL. */
int doctor_finish(struct doctor *doctor);

/* Unix time as "2026-01-31"; in the arena. */
const char *doctor_date(struct doctor *doctor, int64_t unix_s);

/* What a status says to an operator, without file and line; with its errno. */
const char *doctor_why(struct doctor *doctor, struct status status);
