#pragma once

/* Checks on what a process may have: locked memory for keys, open files. */

#include "cli/doctor.h"
#include "cli/doctor_target.h"

struct doctor_limits {
    uint64_t locked_bytes; /* UINT64_MAX: unlimited. */
    uint64_t files;
};

/* The soft limits from the text of /proc/PID/limits; false if a line is missing. */
bool doctor_limits_parse(const char *text, struct doctor_limits *ret_limits);

/* How many files a target may need to hold open. */
uint64_t doctor_limits_files(const struct doctor_target *target);

/* Of the daemon that runs with this configuration, else of this process. */
void doctor_limits_check(struct doctor *doctor, void *context);
