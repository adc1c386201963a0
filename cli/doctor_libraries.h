#pragma once

/* Checks on the libraries that are loaded against those that this was built with. */

#include "cli/doctor.h"

/* WARN where what runs is older than what it was built with, or of another major version. */
enum doctor_state doctor_libraries_compare(const char *built, const char *running);

/* Of this host; no context. */
void doctor_libraries_check(struct doctor *doctor, void *context);
