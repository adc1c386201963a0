#include "cli/doctor_ports.h"

#include "cli/doctor_certificate.h"
#include "cli/doctor_dial.h"
#include "lib/version/version.h"

#include <string.h>
#include <unistd.h>

static const char taken[] = "stop what has it, or choose another port";

bool doctor_ports_is_ours(const char *server, const char *role, const char **ret_version)
{
    size_t size = strlen(role);
    if (strncmp(server, "triad-", 6) != 0 || strncmp(server + 6, role, size) != 0 ||
        server[6 + size] != '/') {
        return false;
    }
    *ret_version = server + 6 + size + 1;
    return true;
}

/* True if somebody has the port; what else is to say was told. */
static bool tell_free(struct doctor *doctor, const char *address)
{
    struct status status = doctor_dial_bind(address);
    if (status_ok(status)) {
        doctor_ok(doctor, "%s is free: the daemon does not run", address);
        return false;
    }
    if (status.code == STATUS_BUSY) {
        return true;
    }
    doctor_fail(
        doctor, "name an address of this host and a port that its user may have", "%s: %s", address,
        doctor_why(doctor, status));
    return false;
}

/* On the RPC port ours shows our own certificate, or one renewed since with the same name. */
static void tell_listener(struct doctor *doctor, const struct doctor_target *target, bool is_s3)
{
    const char *address = doctor_target_text(target, "listen");
    struct doctor_dial_tls dial = {
        .address = address,
        .protocol = is_s3 ? "http/1.1" : "h2",
        .cert_file = is_s3 ? NULL : doctor_target_text(target, "cert_file"),
        .key_file = is_s3 ? NULL : doctor_target_text(target, "key_file"),
    };
    if (dial.key_file != NULL && access(dial.key_file, R_OK) != 0) {
        doctor_warn(
            doctor, "see what is said of the key file",
            "%s is taken; by whom cannot be asked without our key", address);
        return;
    }
    OWNED(doctor_pem) struct doctor_pem *shown = NULL;
    OWNED(doctor_pem) struct doctor_pem *own = NULL;
    const char *own_file = doctor_target_text(target, is_s3 ? "s3_cert_file" : "cert_file");
    struct status status = doctor_dial_handshake(&dial, &shown);
    if (!status_ok(status)) {
        doctor_fail(
            doctor, taken, "%s is taken by something else, or our daemon hangs: %s", address,
            doctor_why(doctor, status));
        return;
    }
    if (!status_ok(doctor_pem_read(own_file, &own))) {
        return; /* Told by the check of certificates. */
    }
    if (doctor_pem_equal(shown, own)) {
        doctor_ok(doctor, "%s: our daemon answers", address);
        return;
    }
    if (X509_NAME_cmp(
            X509_get_subject_name(doctor_pem_leaf(shown)),
            X509_get_subject_name(doctor_pem_leaf(own))) == 0) {
        doctor_warn(
            doctor, "if it stays so for a minute: see the daemon's log, whether it could read them",
            "%s: a daemon of that name answers with another certificate than in %s", address,
            own_file);
        return;
    }
    doctor_fail(
        doctor, taken, "%s is taken by something with another certificate than %s", address,
        own_file);
}

void doctor_ports_check_listen(struct doctor *doctor, void *context)
{
    const struct doctor_target *target = context;
    const char *address = doctor_target_text(target, "listen");
    if (address != NULL && tell_free(doctor, address)) {
        tell_listener(doctor, target, target->role->role == RPC_ROLE_FRONTEND);
    }
}

void doctor_ports_check_admin(struct doctor *doctor, void *context)
{
    const struct doctor_target *target = context;
    const char *address = doctor_target_text(target, "admin_listen");
    struct doctor_dial_answer answer;
    const char *version;
    if (address == NULL || !tell_free(doctor, address)) {
        return;
    }
    struct status status = doctor_dial_health(address, &answer);
    if (!status_ok(status)) {
        doctor_fail(
            doctor, taken, "%s is taken by something else, or our daemon hangs: %s", address,
            doctor_why(doctor, status));
        return;
    }
    if (!doctor_ports_is_ours(answer.server, target->role->name, &version)) {
        doctor_fail(
            doctor, taken, "%s is taken by something else (Server: %s)", address,
            answer.server[0] != '\0' ? answer.server : "none");
        return;
    }
    if (strcmp(version, TRIAD_VERSION) != 0) {
        doctor_warn(
            doctor, "restart the daemon with the installed version",
            "%s: it runs version %s, this is %s", address, version, TRIAD_VERSION);
    }
    if (answer.code != 200) {
        doctor_fail(
            doctor, "see to what it waits for, and its log", "%s: not ready: %s", address,
            answer.line);
        return;
    }
    doctor_ok(doctor, "%s: version %s, %s", address, version, answer.line);
}

void doctor_ports_check_peers(struct doctor *doctor, void *context)
{
    static const struct {
        enum rpc_role role;
        const char *address;
        const char *tls_name;
    } peers[] = {
        {RPC_ROLE_KEYSTORE, "keystore_address", "keystore_tls_name"},
        {RPC_ROLE_CONTENTDB, "contentdb_address", "contentdb_tls_name"},
    };
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        const char *address = doctor_target_text(context, peers[i].address);
        if (address != NULL) {
            IGNORE(doctor_certificate_check_peer(/* Told; nothing more is asked of it here. */
                                                 doctor, context, address,
                                                 doctor_target_text(context, peers[i].tls_name),
                                                 peers[i].role));
        }
    }
}
