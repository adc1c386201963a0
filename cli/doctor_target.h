#pragma once

/* A configuration that the doctor looks at: whose it is, and its values if it is right. */

#include "cli/cli.h"
#include "cli/doctor_role.h"

struct doctor_target {
    const struct doctor_role *role;
    const char *path;
    void *settings;    /* Of the role's struct, in the arena; NULL if the file is not right. */
    const char *error; /* Or what is wrong with it. */
};

/* Read the file. role is NULL if unknown; then target->role may be NULL at the return. */
void doctor_target_load(
    struct cli *cli, const char *path, const struct doctor_role *role,
    struct doctor_target *target);

/* The value of a TEXT option; NULL where the role has no such option or it is empty. */
const char *doctor_target_text(const struct doctor_target *target, const char *name);

/* The value of a SIZE, COUNT or DURATION option; fallback where the role has no such option. */
uint64_t
doctor_target_number(const struct doctor_target *target, const char *name, uint64_t fallback);
