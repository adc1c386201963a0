#pragma once

/* Checks on the ports that a configuration names: its own, and those of its peers. */

#include "cli/doctor.h"
#include "cli/doctor_target.h"

/*
 * Who an admin port's Server header says it is: true for "triad-<role>/<version>", and then
 * *ret_version points at the version.
 */
bool doctor_ports_is_ours(const char *server, const char *role, const char **ret_version);

/* Checks; context is a struct doctor_target. */
void doctor_ports_check_listen(struct doctor *doctor, void *context);
void doctor_ports_check_admin(struct doctor *doctor, void *context);
void doctor_ports_check_peers(struct doctor *doctor, void *context);
