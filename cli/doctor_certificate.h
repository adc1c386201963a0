#pragma once

/* Checks on certificates, of our own files and of peers. */

#include "cli/doctor.h"
#include "cli/doctor_pem.h"
#include "cli/doctor_target.h"

/* FAIL when the time is over, WARN when fewer than warn_days are left. */
enum doctor_state doctor_certificate_judge(int64_t not_after_s, int64_t now_s, int warn_days);

/* The checks of a target's files; context is the struct doctor_target. */
void doctor_certificate_check(struct doctor *doctor, void *context);
void doctor_certificate_check_authorities(struct doctor *doctor, void *context);
void doctor_certificate_check_public(struct doctor *doctor, void *context);

/*
 * A peer of the target's: connect as the target, look at the certificate: trusted by the target's
 * ca_file, of the role, cluster and TLS name, and for how long. True if it may be talked to.
 */
bool doctor_certificate_check_peer(
    struct doctor *doctor, const struct doctor_target *target, const char *address,
    const char *tls_name, enum rpc_role role);
