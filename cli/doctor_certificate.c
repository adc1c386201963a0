#include "cli/doctor_certificate.h"

#include "cli/doctor_dial.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <openssl/x509v3.h>

enum { TEXT_MAX = 8192 };

static const char renew[] = "issue a new one (triad pki issue), replace the files; a content DB's, "
                            "steward's or frontend's is registered first (triad cert renew)";

enum doctor_state doctor_certificate_judge(int64_t not_after_s, int64_t now_s, int warn_days)
{
    int64_t left_s = not_after_s - now_s;
    if (left_s <= 0) {
        return DOCTOR_FAIL;
    }
    return left_s < (int64_t)warn_days * DAY_SECONDS ? DOCTOR_WARN : DOCTOR_OK;
}

static int days_left(int64_t not_after_s, int64_t now_s)
{
    int64_t left_s = not_after_s - now_s;
    return (int)(left_s / DAY_SECONDS);
}

/* NULL, and told, if it cannot be read. */
static struct doctor_pem *read_pem(struct doctor *doctor, const char *path)
{
    struct doctor_pem *pem = NULL;
    struct status status = doctor_pem_read(path, &pem);
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "name a PEM file with the certificate, then its issuer, that the daemon reads",
            "%s: %s", path, doctor_why(doctor, status));
    }
    return pem;
}

static void tell_life(struct doctor *doctor, const struct doctor_pem *pem, const char *what)
{
    int64_t now_s = clock_wall_s();
    int64_t begin_s = doctor_pem_not_before(doctor_pem_leaf(pem));
    int64_t end_s = doctor_pem_not_after(doctor_pem_leaf(pem));
    if (begin_s > now_s) {
        doctor_fail(
            doctor, "set this host's clock, or that of the host that issued it",
            "%s begins only on %s", what, doctor_date(doctor, begin_s));
        return;
    }
    enum doctor_state state = doctor_certificate_judge(end_s, now_s, DOCTOR_PEM_DAYS);
    if (state == DOCTOR_FAIL) {
        doctor_fail(doctor, renew, "%s expired on %s", what, doctor_date(doctor, end_s));
        return;
    }
    doctor_tell(
        doctor, state, renew, "%s holds until %s, %d days", what, doctor_date(doctor, end_s),
        days_left(end_s, now_s));
}

/* Whether the chain leads to the CAs; the dates are told by tell_life. */
static bool tell_trust(
    struct doctor *doctor, const struct doctor_pem *pem, const char *ca_file, const char *what)
{
    OWNED(doctor_pem) struct doctor_pem *ca = read_pem(doctor, ca_file);
    if (ca == NULL) {
        return false;
    }
    int error = doctor_pem_verify(pem, ca);
    if (error != X509_V_OK) {
        doctor_fail(
            doctor, "issue it with this cluster's PKI, or name that cluster's CAs",
            "%s is not from the CAs in %s: %s", what, ca_file,
            X509_verify_cert_error_string(error));
    }
    return error == X509_V_OK;
}

/* Whether the certificate is of that cluster and role, and of that id unless it is NULL. */
static bool tell_identity(
    struct doctor *doctor, const struct doctor_pem *pem, const char *cluster, enum rpc_role role,
    const char *id, const char *what)
{
    BUFFER(text, TEXT_MAX);
    struct rpc_peer peer;
    struct status status = doctor_pem_text(pem, &text);
    if (status_ok(status)) {
        status = rpc_identity_of_pem(buffer_bytes(&text), cluster, &peer);
    }
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "issue it for this cluster, or set `cluster` to the cluster's name",
            "%s is not an identity of cluster %s: %s", what, cluster, doctor_why(doctor, status));
        return false;
    }
    if (peer.role != role || (id != NULL && strcmp(peer.id, id) != 0)) {
        doctor_fail(
            doctor, "issue it with that --role and --id, or set the configuration right",
            "%s is of %s, wanted is %s%s%s", what, peer.uri, rpc_role_name(role),
            id != NULL ? "/" : "", id != NULL ? id : "");
        return false;
    }
    return true;
}

static void tell_key(struct doctor *doctor, const struct doctor_pem *pem, const char *key_file)
{
    struct status status = doctor_pem_check_key(pem, key_file);
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "put the key that was issued with the certificate there", "%s: %s", key_file,
            doctor_why(doctor, status));
        return;
    }
    EVP_PKEY *key = X509_get0_pubkey(doctor_pem_leaf(pem));
    if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
        doctor_fail(
            doctor, "issue it with triad pki issue", "the key of %s is not ECDSA", key_file);
        return;
    }
    doctor_ok(doctor, "%s belongs to the certificate", key_file);
}

void doctor_certificate_check(struct doctor *doctor, void *context)
{
    const struct doctor_target *target = context;
    const char *path = doctor_target_text(target, "cert_file");
    OWNED(doctor_pem) struct doctor_pem *pem = read_pem(doctor, path);
    if (pem == NULL) {
        return;
    }
    if (tell_trust(doctor, pem, doctor_target_text(target, "ca_file"), path) &&
        tell_identity(
            doctor, pem, doctor_target_text(target, "cluster"), target->role->role,
            doctor_target_text(target, "node_id"), path)) {
        tell_life(doctor, pem, path);
    }
    tell_key(doctor, pem, doctor_target_text(target, "key_file"));
}

void doctor_certificate_check_authorities(struct doctor *doctor, void *context)
{
    const char *path = doctor_target_text(context, "ca_file");
    OWNED(doctor_pem) struct doctor_pem *ca = read_pem(doctor, path);
    if (ca == NULL) {
        return;
    }
    int64_t now_s = clock_wall_s();
    int64_t end_s = doctor_pem_first_end(ca);
    doctor_tell(
        doctor, doctor_certificate_judge(end_s, now_s, DOCTOR_PEM_CA_DAYS),
        "make a new CA and give its certificate to every part before it issues",
        "%s: %d CAs, the first ends on %s", path, sk_X509_num(ca->list),
        doctor_date(doctor, end_s));
}

/* The S3 port's: from a CA of its own, so only key and dates can be judged. */
void doctor_certificate_check_public(struct doctor *doctor, void *context)
{
    const char *path = doctor_target_text(context, "s3_cert_file");
    if (path == NULL) {
        return;
    }
    OWNED(doctor_pem) struct doctor_pem *pem = read_pem(doctor, path);
    if (pem == NULL) {
        return;
    }
    tell_life(doctor, pem, path);
    struct status status = doctor_pem_check_key(pem, doctor_target_text(context, "s3_key_file"));
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "put the key that was issued with the certificate there", "s3_key_file: %s",
            doctor_why(doctor, status));
    }
}

static const char *
peer_name(struct doctor *doctor, enum rpc_role role, const char *tls_name, const char *address)
{
    const char *name =
        arena_printf(&doctor->cli->arena, "%s %s at %s", rpc_role_name(role), tls_name, address);
    CHECK(name != NULL);
    return name;
}

bool doctor_certificate_check_peer(
    struct doctor *doctor, const struct doctor_target *target, const char *address,
    const char *tls_name, enum rpc_role role)
{
    const char *what = peer_name(doctor, role, tls_name, address);
    struct doctor_dial_tls dial = {
        .address = address,
        .name = tls_name,
        .protocol = "h2",
        .cert_file = doctor_target_text(target, "cert_file"),
        .key_file = doctor_target_text(target, "key_file"),
    };
    OWNED(doctor_pem) struct doctor_pem *pem = NULL;
    struct status status = doctor_dial_handshake(&dial, &pem);
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "start it, or set the address and the way to it right", "%s: %s", what,
            doctor_why(doctor, status));
        return false;
    }
    if (!tell_trust(doctor, pem, doctor_target_text(target, "ca_file"), what) ||
        !tell_identity(doctor, pem, doctor_target_text(target, "cluster"), role, NULL, what)) {
        return false;
    }
    if (X509_check_host(doctor_pem_leaf(pem), tls_name, 0, 0, NULL) != 1) {
        doctor_fail(
            doctor, "set the TLS name to ID.ROLE.triad, as triad pki issue told it",
            "%s shows a certificate without that name", what);
        return false;
    }
    const char *its = arena_printf(&doctor->cli->arena, "%s answers; its certificate", what);
    CHECK(its != NULL);
    tell_life(doctor, pem, its);
    return true;
}
