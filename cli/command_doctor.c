/* triad doctor: what is wrong with this host's daemons, and with the cluster. */

#include "cli/cli_commands.h"
#include "cli/doctor_certificate.h"
#include "cli/doctor_clock.h"
#include "cli/doctor_cluster.h"
#include "cli/doctor_disk.h"
#include "cli/doctor_files.h"
#include "cli/doctor_libraries.h"
#include "cli/doctor_limits.h"
#include "cli/doctor_ports.h"
#include "lib/base/check.h"

enum { CALL_MS = 5000, ERROR_MAX = 4096 };

static const struct doctor_check host_checks[] = {
    {"clock", doctor_clock_check},
    {"libraries", doctor_libraries_check},
    {.name = NULL},
};

static void check_config(struct doctor *doctor, void *context)
{
    const struct doctor_target *target = context;
    if (target->settings == NULL) {
        doctor_fail(
            doctor, "set the file right: nothing else of it is checked", "%s", target->error);
        return;
    }
    const char *node = doctor_target_text(target, "node_id");
    doctor_ok(
        doctor, "%s is right: %s%s%s of cluster %s", target->path, target->role->name,
        node != NULL ? " " : "", node != NULL ? node : "", doctor_target_text(target, "cluster"));
}

static const struct doctor_check config_checks[] = {
    {"config", check_config},
    {.name = NULL},
};

static const struct doctor_check operator_checks[] = {
    {"config", check_config},
    {"files", doctor_files_check},
    {"certificate", doctor_certificate_check},
    {"authorities", doctor_certificate_check_authorities},
    {.name = NULL},
};

static const struct doctor_check daemon_checks[] = {
    {"config", check_config},
    {"files", doctor_files_check},
    {"seal key", doctor_files_check_seal},
    {"certificate", doctor_certificate_check},
    {"authorities", doctor_certificate_check_authorities},
    {"s3 cert", doctor_certificate_check_public},
    {"data_dir", doctor_files_check_data_dir},
    {"disk", doctor_disk_check_kind},
    {"fdatasync", doctor_disk_check_sync},
    {"space", doctor_disk_check_space},
    {"limits", doctor_limits_check},
    {"listen", doctor_ports_check_listen},
    {"admin", doctor_ports_check_admin},
    {"peer", doctor_ports_check_peers},
    {.name = NULL},
};

static const struct doctor_check admin_checks[] = {
    {"admin", doctor_cluster_check_admin},
    {.name = NULL},
};

static const char *subject_of(struct doctor *doctor, const struct doctor_target *target)
{
    const char *node = doctor_target_text(target, "node_id");
    if (node == NULL) {
        return target->role != NULL ? target->role->name : target->path;
    }
    const char *subject = arena_printf(&doctor->cli->arena, "%s (%s)", node, target->role->name);
    CHECK(subject != NULL);
    return subject;
}

static void examine_daemon(struct doctor *doctor, struct doctor_target *target)
{
    doctor_run(
        doctor, subject_of(doctor, target),
        target->settings != NULL ? daemon_checks : config_checks, target);
}

static void check_session(struct doctor *doctor, void *context)
{
    struct doctor_cluster *cluster = context;
    BUFFER(error, ERROR_MAX);
    /* Only what the checks before it could not see is left to go wrong. */
    if (!status_ok(session_open_quiet(doctor->cli, CALL_MS, &error, &cluster->session))) {
        doctor_fail(
            doctor, "see what the checks above say of its files", "%.*s", (int)error.size,
            error.size > 0 ? (const char *)error.data : "no memory");
    }
}

static void
examine_cluster(struct doctor *doctor, const struct doctor_target *locals, size_t locals_count)
{
    static const struct doctor_check session_checks[] = {
        {"session", check_session},
        {.name = NULL},
    };
    struct doctor_target operator_;
    doctor_target_load(
        doctor->cli, session_config_path(doctor->cli), doctor_role_named("operator"), &operator_);
    if (operator_.settings == NULL) {
        doctor_run(doctor, "operator", config_checks, &operator_);
        return;
    }
    doctor_run(doctor, "operator", operator_checks, &operator_);
    struct doctor_cluster cluster = {
        .operator_ = &operator_, .locals = locals, .locals_count = locals_count};
    doctor_run(doctor, "operator", session_checks, &cluster);
    if (cluster.session != NULL) {
        doctor_run(doctor, "key store", doctor_cluster_keystore, &cluster);
        doctor_run(doctor, "content DB", doctor_cluster_contentdb, &cluster);
        doctor_run(doctor, "blob nodes", doctor_cluster_nodes, &cluster);
    }
    session_free(cluster.session);
}

int command_doctor(struct cli *cli)
{
    struct doctor_target locals[CLI_VALUES_MAX];
    size_t count = 0;
    const char *role_name = cli_text(cli, "role");
    const struct doctor_role *role = role_name != NULL ? doctor_role_named(role_name) : NULL;
    if (role_name != NULL && role == NULL) {
        return cli_fail_text(cli, "--role %s: there is no such role", role_name);
    }
    struct doctor doctor;
    doctor_init(&doctor, cli);
    doctor_run(&doctor, "this host", host_checks, NULL);
    for (const char *path; (path = cli_text_at(cli, "daemon-config", count)) != NULL; count++) {
        doctor_target_load(cli, path, role, &locals[count]);
        examine_daemon(&doctor, &locals[count]);
    }
    if (cli_text(cli, "admin") != NULL) {
        doctor_run(&doctor, "admin ports", admin_checks, NULL);
    }
    if (cli_text(cli, "config") != NULL || (count == 0 && cli_text(cli, "admin") == NULL)) {
        examine_cluster(&doctor, locals, count);
    }
    return doctor_finish(&doctor);
}
