#include "cli/doctor_accounts.h"

#include "cli/doctor_certificate.h"
#include "cli/doctor_clock.h"
#include "cli/doctor_cluster.h"
#include "cli/doctor_disk.h"
#include "lib/base/clock.h"
#include "lib/capability/keyset.h"
#include "proto/blob.pb-c.h"
#include "proto/content.pb-c.h"

#include <string.h>

enum { ACTIVE = 1, DRAINING = 2, SUSPECT = 3, GONE = 4, SPACE_RESERVE_MIB = 1024 };

enum doctor_state doctor_accounts_judge(
    const struct doctor_accounts *accounts, unsigned data, unsigned parity, const char **ret_why)
{
    unsigned wanted = data + parity;
    *ret_why = "each fragment has an account on a node of its own";
    if (accounts->active < data + 1) {
        *ret_why = "too few: large objects are stored as copies, or not at all";
        return DOCTOR_FAIL;
    }
    if (accounts->active < wanted) {
        *ret_why = "too few: every large object is written short and waits for repair";
        return DOCTOR_WARN;
    }
    if (accounts->nodes < wanted) {
        *ret_why = "too few nodes: one that is lost takes more than one fragment of an object";
        return DOCTOR_WARN;
    }
    return DOCTOR_OK;
}

enum doctor_state doctor_accounts_judge_keyset(int64_t valid_until_s, int64_t now_s)
{
    if (valid_until_s <= now_s) {
        return DOCTOR_FAIL;
    }
    return valid_until_s - now_s < KEYSET_VALID_S / 3 ? DOCTOR_WARN : DOCTOR_OK;
}

static const Triad__Blob__NodeAccount *
find_account(const Triad__Blob__NodeStatusReply *node, const Triad__Content__Account *row)
{
    for (size_t i = 0; i < node->n_accounts; i++) {
        if (bytes_equal(session_bytes(&node->accounts[i]->account), session_bytes(&row->account))) {
            return node->accounts[i];
        }
    }
    return NULL;
}

/* One account as its node has it; true if nothing is wrong with it. */
static bool tell_account(
    struct doctor *doctor, const Triad__Content__Account *row,
    const Triad__Blob__NodeStatusReply *node)
{
    const Triad__Blob__NodeAccount *account = find_account(node, row);
    if (account == NULL) {
        doctor_fail(
            doctor, "mount the disk that it lies on and restart the node",
            "account %u is not on the node %s", row->number, row->node_id);
        return false;
    }
    if (!bytes_equal(session_bytes(&account->store_uuid), session_bytes(&row->store_uuid))) {
        doctor_fail(
            doctor, "bring its own disk back: this one was formatted anew",
            "account %u on %s is another store than was added", row->number, row->node_id);
        return false;
    }
    bool is_good = true;
    enum doctor_state state =
        doctor_accounts_judge_keyset((int64_t)account->keyset_valid_until, clock_wall_s());
    if (state != DOCTOR_OK) {
        doctor_tell(
            doctor, state,
            "frontends and the steward bring new ones: see whether one runs and reaches the node",
            "account %u on %s: its keyset %s", row->number, row->node_id,
            state == DOCTOR_FAIL ? "ended: it refuses all tokens" : "ends within 5 min");
        is_good = false;
    }
    if (account->damaged > 0) {
        doctor_warn(
            doctor, "replace the disk if they become more; reads use the other fragments",
            "account %u on %s met %llu damaged fragments", row->number, row->node_id,
            (unsigned long long)account->damaged);
        is_good = false;
    }
    return is_good;
}

static void tell_node(
    struct doctor *doctor, struct doctor_cluster *cluster,
    const Triad__Content__ListAccountsReply *list, const Triad__Content__Account *first)
{
    Triad__Blob__NodeStatusRequest request = TRIAD__BLOB__NODE_STATUS_REQUEST__INIT;
    const ProtobufCMessage *message = NULL;
    if (!doctor_certificate_check_peer(
            doctor, cluster->operator_, first->address, first->tls_name, RPC_ROLE_BLOBNODE)) {
        return;
    }
    int64_t before_ms = clock_wall_ms();
    struct status status = session_call_node(
        cluster->session, first->address, first->tls_name, &triad__blob__blob__descriptor,
        "NodeStatus", &request.base, &message);
    int64_t after_ms = clock_wall_ms();
    if (!status_ok(status)) {
        doctor_fail(
            doctor, "see its log: it answers TLS but not this call", "%s: NodeStatus: %s (%s)",
            first->node_id, status_text(status.code), doctor_why(doctor, status));
        return;
    }
    const Triad__Blob__NodeStatusReply *node = (const Triad__Blob__NodeStatusReply *)message;
    doctor_cluster_tell_version(doctor, node->node_id, node->version);
    doctor_clock_compare(doctor, node->node_id, (int64_t)node->now_ms, before_ms, after_ms, 0);
    unsigned good = 0;
    unsigned all = 0;
    for (size_t i = 0; i < list->n_accounts; i++) {
        if (strcmp(list->accounts[i]->address, first->address) == 0 &&
            list->accounts[i]->state != GONE) {
            all++;
            good += tell_account(doctor, list->accounts[i], node) ? 1 : 0;
        }
    }
    if (good == all) {
        doctor_ok(
            doctor, "%s: its %u accounts are well, %llu MiB are free", node->node_id, all,
            (unsigned long long)(node->free_bytes >> 20));
    }
}

typedef const char *account_text_fn(const Triad__Content__Account *row);

static const char *address_of(const Triad__Content__Account *row)
{
    return row->address;
}

static const char *node_of(const Triad__Content__Account *row)
{
    return row->node_id;
}

static const char *domain_of(const Triad__Content__Account *row)
{
    return row->failure_domain;
}

/* Whether row number index is the first that has this text. */
static bool
is_first(const Triad__Content__ListAccountsReply *list, size_t index, account_text_fn *text_of)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(text_of(list->accounts[i]), text_of(list->accounts[index])) == 0) {
            return false;
        }
    }
    return true;
}

static void check_nodes(struct doctor *doctor, void *context)
{
    struct doctor_cluster *cluster = context;
    const Triad__Content__ListAccountsReply *list =
        (const Triad__Content__ListAccountsReply *)cluster->accounts;
    for (size_t i = 0; list != NULL && i < list->n_accounts; i++) {
        if (is_first(list, i, address_of)) {
            tell_node(doctor, cluster, list, list->accounts[i]);
        }
    }
}

static void check_accounts(struct doctor *doctor, void *context)
{
    const struct doctor_cluster *cluster = context;
    const Triad__Content__ListAccountsReply *list =
        (const Triad__Content__ListAccountsReply *)cluster->accounts;
    struct doctor_accounts accounts = {.active = 0};
    for (size_t i = 0; list != NULL && i < list->n_accounts; i++) {
        const Triad__Content__Account *row = list->accounts[i];
        if (row->state == SUSPECT || row->state == DRAINING) {
            doctor_warn(
                doctor, "see its node; new fragments go elsewhere", "account %u on %s is %s",
                row->number, row->node_id, row->state == SUSPECT ? "suspect" : "being drained");
        }
        if (row->state != ACTIVE) {
            continue;
        }
        accounts.active++;
        accounts.nodes += is_first(list, i, node_of) ? 1 : 0;
        accounts.domains += is_first(list, i, domain_of) ? 1 : 0;
    }
    if (list == NULL) {
        return; /* The content DB did not answer, which was told. */
    }
    /* What frontends want is in their configuration: one that was given, or the defaults. */
    unsigned data = 4;
    unsigned parity = 2;
    for (size_t i = 0; i < cluster->locals_count; i++) {
        data = (unsigned)doctor_target_number(&cluster->locals[i], "large_data", data);
        parity = (unsigned)doctor_target_number(&cluster->locals[i], "large_parity", parity);
    }
    const char *why;
    enum doctor_state state = doctor_accounts_judge(&accounts, data, parity, &why);
    doctor_tell(
        doctor, state, "add blob nodes with an account each (triad account add)",
        "%u accounts on %u nodes in %u failure domains for %u+%u: %s", accounts.active,
        accounts.nodes, accounts.domains, data, parity, why);
}

const struct doctor_check doctor_cluster_nodes[] = {
    {"node", check_nodes},
    {"accounts", check_accounts},
    {.name = NULL},
};
