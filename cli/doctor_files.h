#pragma once

/* Checks on the files that a configuration names: there, whose, and who else may read them. */

#include "cli/doctor.h"
#include "cli/doctor_target.h"

#include <sys/stat.h>
#include <sys/types.h>

/*
 * How bad it is that a secret has this mode: others or a writing group FAIL, a reading group WARN.
 * *ret_why is a literal, NULL where it is well.
 */
enum doctor_state doctor_files_judge_mode(mode_t mode, const char **ret_why);

/*
 * Whether only the daemon's user can read and replace a secret of this owner: root's is WARN where
 * the daemon is not root's, since it could not read it; a third user's is FAIL.
 */
enum doctor_state doctor_files_judge_owner(uid_t owner, uid_t daemon, const char **ret_why);

/* True if path lies in directory, by real paths. */
bool doctor_files_is_inside(const char *path, const char *directory);

/* Checks; context is a struct doctor_target. */
void doctor_files_check(struct doctor *doctor, void *context);
void doctor_files_check_seal(struct doctor *doctor, void *context);
void doctor_files_check_data_dir(struct doctor *doctor, void *context);
