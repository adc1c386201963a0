#include "cli/doctor_cluster.h"

#include "cli/doctor_certificate.h"
#include "cli/doctor_clock.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/version/version.h"
#include "proto/content.pb-c.h"
#include "proto/key.pb-c.h"

#include <string.h>

enum { ANCHOR_WARN_MS = 5 * 1000, ANCHOR_FAIL_MS = 10 * 1000, DELEGATION_MIN = 32 };

void doctor_cluster_tell_version(struct doctor *doctor, const char *who, const char *version)
{
    doctor_tell(
        doctor, strcmp(version, TRIAD_VERSION) == 0 ? DOCTOR_OK : DOCTOR_WARN,
        "run the same version everywhere", "%s has version %s, this is %s", who,
        version[0] != '\0' ? version : "unknown", TRIAD_VERSION);
}

/* One call; NULL, and told, where it failed. */
static const ProtobufCMessage *
ask(struct doctor *doctor, struct doctor_cluster *cluster, enum session_peer peer,
    const char *method, const ProtobufCMessage *request)
{
    const ProtobufCMessage *reply = NULL;
    const ProtobufCServiceDescriptor *service = peer == SESSION_KEYSTORE
                                                    ? &triad__key__keys__descriptor
                                                    : &triad__content__content__descriptor;
    struct status status = session_call(cluster->session, peer, service, method, request, &reply);
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "see its log: it answers TLS but not this call", "%s: %s (%s)", method,
            status_text(status.code), doctor_why(doctor, status));
        return NULL;
    }
    return reply;
}

static bool reach(
    struct doctor *doctor, struct doctor_cluster *cluster, const char *address,
    const char *tls_name, enum rpc_role role)
{
    const struct doctor_target *target = cluster->operator_;
    return doctor_certificate_check_peer(
        doctor, target, doctor_target_text(target, address), doctor_target_text(target, tls_name),
        role);
}

/* ------------------------------------------------------------ key store */

static void tell_anchor(struct doctor *doctor, const Triad__Key__ShardStatus *shard)
{
    uint64_t age_ms = shard->anchored_ms_ago;
    enum doctor_state state = age_ms > ANCHOR_FAIL_MS   ? DOCTOR_FAIL
                              : age_ms > ANCHOR_WARN_MS ? DOCTOR_WARN
                                                        : DOCTOR_OK;
    doctor_tell(
        doctor, state,
        "start the shard's content DB, or mend its way to the key store: 10 s after the last one "
        "it refuses commits",
        "shard %u anchored its log %.1f s ago", shard->shard, (double)age_ms / 1000);
}

static void check_keystore(struct doctor *doctor, void *context)
{
    Triad__Key__StatusRequest request = TRIAD__KEY__STATUS_REQUEST__INIT;
    struct doctor_cluster *cluster = context;
    if (!reach(doctor, cluster, "keystore_address", "keystore_tls_name", RPC_ROLE_KEYSTORE)) {
        return;
    }
    int64_t before_ms = clock_wall_ms();
    const Triad__Key__StatusReply *reply = (const Triad__Key__StatusReply *)ask(
        doctor, cluster, SESSION_KEYSTORE, "Status", &request.base);
    int64_t after_ms = clock_wall_ms();
    if (reply == NULL) {
        return;
    }
    doctor_cluster_tell_version(doctor, "the key store", reply->version);
    doctor_clock_compare(
        doctor, "the key store's clock", (int64_t)reply->now_ms, before_ms, after_ms, 0);
    if (reply->n_shards == 0) {
        doctor_fail(doctor, "triad shard create, then start its content DB", "there is no shard");
    }
    for (size_t i = 0; i < reply->n_shards; i++) {
        tell_anchor(doctor, reply->shards[i]);
    }
}

/* "TKD1" alg u8 0^3 nbf u64 naf u64 ... (FORMATS 7); its signature is the blob nodes' to check. */
static uint64_t delegated_until(struct bytes delegation)
{
    return delegation.size < DELEGATION_MIN || memcmp(delegation.data, "TKD1", 4) != 0
               ? 0
               : decode_u64(delegation.data + 16);
}

static void check_delegation(struct doctor *doctor, void *context)
{
    static const char advice[] = "triad pki delegate: without it no keyset is signed, and blob "
                                 "nodes refuse all tokens";
    Triad__Key__KeysetRequestRequest request = TRIAD__KEY__KEYSET_REQUEST_REQUEST__INIT;
    struct doctor_cluster *cluster = context;
    const Triad__Key__KeysetRequestReply *reply = (const Triad__Key__KeysetRequestReply *)ask(
        doctor, cluster, SESSION_KEYSTORE, "KeysetRequest", &request.base);
    if (reply == NULL) {
        return;
    }
    uint64_t until_s = delegated_until(session_bytes(&reply->delegation));
    if (until_s == 0) {
        doctor_fail(doctor, advice, "the offline root has not delegated to this key store");
        return;
    }
    doctor_tell(
        doctor, doctor_certificate_judge((int64_t)until_s, clock_wall_s(), DOCTOR_PEM_DAYS), advice,
        "the offline root's delegation holds until %s", doctor_date(doctor, (int64_t)until_s));
}

static bool is_registered(const Triad__Key__CertListReply *list, const uint8_t fingerprint[32])
{
    for (size_t i = 0; i < list->n_certificates; i++) {
        struct bytes sha256 = session_bytes(&list->certificates[i]->sha256);
        if (bytes_equal(sha256, bytes_of(fingerprint, 32))) {
            return true;
        }
    }
    return false;
}

/* What the key store calls opens keys for: their certificates must be known to it. */
static void tell_registered(
    struct doctor *doctor, const struct doctor_target *local, const Triad__Key__CertListReply *list)
{
    const unsigned callers = RPC_ROLE_CONTENTDB | RPC_ROLE_STEWARD | RPC_ROLE_FRONTEND;
    const char *path = doctor_target_text(local, "cert_file");
    uint8_t fingerprint[32];
    OWNED(doctor_pem) struct doctor_pem *pem = NULL;
    if (path == NULL || (local->role->role & callers) == 0 ||
        !status_ok(doctor_pem_read(path, &pem)) ||
        X509_digest(doctor_pem_leaf(pem), EVP_sha256(), fingerprint, NULL) != 1) {
        return; /* Told by that configuration's own checks. */
    }
    doctor_tell(
        doctor, is_registered(list, fingerprint) ? DOCTOR_OK : DOCTOR_FAIL,
        "triad cert add --file that file", "%s is %sregistered with the key store", path,
        is_registered(list, fingerprint) ? "" : "not ");
}

static void check_registry(struct doctor *doctor, void *context)
{
    Triad__Key__CertListRequest request = TRIAD__KEY__CERT_LIST_REQUEST__INIT;
    struct doctor_cluster *cluster = context;
    const Triad__Key__CertListReply *reply = (const Triad__Key__CertListReply *)ask(
        doctor, cluster, SESSION_KEYSTORE, "CertList", &request.base);
    if (reply == NULL) {
        return;
    }
    unsigned ending = 0;
    for (size_t i = 0; i < reply->n_certificates; i++) {
        const Triad__Key__CertInfo *info = reply->certificates[i];
        int64_t end_s = (int64_t)info->not_after;
        /* One that is being replaced may end; one that ended harms nobody but its owner. */
        if (info->retire_at == 0 &&
            doctor_certificate_judge(end_s, clock_wall_s(), DOCTOR_PEM_DAYS) != DOCTOR_OK) {
            doctor_warn(
                doctor, "renew it (triad cert renew), or triad cert remove if it is not used",
                "%s ends on %s", info->uri, doctor_date(doctor, end_s));
            ending++;
        }
    }
    if (ending == 0) {
        doctor_ok(
            doctor, "%zu certificates are registered, none ends within %d days",
            reply->n_certificates, DOCTOR_PEM_DAYS);
    }
    for (size_t i = 0; i < cluster->locals_count; i++) {
        if (cluster->locals[i].settings != NULL) {
            tell_registered(doctor, &cluster->locals[i], reply);
        }
    }
}

const struct doctor_check doctor_cluster_keystore[] = {
    {"answers", check_keystore},
    {"delegation", check_delegation},
    {"registry", check_registry},
    {.name = NULL},
};

/* ------------------------------------------------------------ content DB */

static void check_contentdb(struct doctor *doctor, void *context)
{
    Triad__Content__StatusRequest request = TRIAD__CONTENT__STATUS_REQUEST__INIT;
    struct doctor_cluster *cluster = context;
    if (!reach(doctor, cluster, "contentdb_address", "contentdb_tls_name", RPC_ROLE_CONTENTDB)) {
        return;
    }
    int64_t before_ms = clock_wall_ms();
    const Triad__Content__StatusReply *reply = (const Triad__Content__StatusReply *)ask(
        doctor, cluster, SESSION_CONTENTDB, "Status", &request.base);
    int64_t after_ms = clock_wall_ms();
    if (reply == NULL) {
        return;
    }
    doctor_cluster_tell_version(doctor, "the content DB", reply->version);
    doctor_clock_compare(
        doctor, "the content DB's clock", (int64_t)reply->now_ms, before_ms, after_ms, 0);
    doctor_tell(
        doctor, reply->repairs > 0 ? DOCTOR_WARN : DOCTOR_OK,
        "let the steward work; if it does not become fewer: its log, and the blob nodes",
        "%llu chunks wait for repair", (unsigned long long)reply->repairs);
    Triad__Content__ListAccountsRequest list = TRIAD__CONTENT__LIST_ACCOUNTS_REQUEST__INIT;
    cluster->accounts = ask(doctor, cluster, SESSION_CONTENTDB, "ListAccounts", &list.base);
}

const struct doctor_check doctor_cluster_contentdb[] = {
    {"answers", check_contentdb},
    {.name = NULL},
};
