#pragma once

/*
 * Checks on a running cluster, with the operator's certificate: what each part says of itself,
 * what others see of it, whether the clocks and versions agree.
 */

#include "cli/doctor.h"
#include "cli/doctor_target.h"
#include "cli/session.h"

struct doctor_cluster {
    const struct doctor_target *operator_;
    const struct doctor_target *locals; /* Configurations that were given as well. */
    size_t locals_count;
    struct session *session;
    /* NULL where the content DB did not tell them; the session's. */
    const ProtobufCMessage *accounts;
};

/* The tables' contexts are a struct doctor_cluster. */
extern const struct doctor_check doctor_cluster_keystore[];
extern const struct doctor_check doctor_cluster_contentdb[];
extern const struct doctor_check doctor_cluster_nodes[];

/* Tell whether a part's version is ours. */
void doctor_cluster_tell_version(struct doctor *doctor, const char *who, const char *version);

/* The admin ports that were named with --admin; context is the struct doctor_cluster. */
void doctor_cluster_check_admin(struct doctor *doctor, void *context);
