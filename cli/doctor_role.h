#pragma once

/*
 * The roles whose configurations the doctor can read, each with the table made from its own .def,
 * and which of them a file belongs to. The operator's cluster file is one of them.
 */

#include "lib/daemon/config.h"
#include "lib/rpc/rpc_identity.h"

struct doctor_role {
    const char *name;
    enum rpc_role role;
    const struct config_option *options;
    size_t options_count;
    size_t settings_size;
    size_t locked_bytes; /* Its secure heap, as in its main.c. */
};

/* A role by its name, or NULL. */
const struct doctor_role *doctor_role_named(const char *name);

/*
 * The daemon whose options a configuration's keys fit best (fewest unknown keys and missing
 * mandatory ones); among equals the one that the file is named after. NULL where neither decides.
 */
const struct doctor_role *doctor_role_guess(struct bytes text, const char *path);
