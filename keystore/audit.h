#pragma once

/*
 * The audit log: one record for every release, issue and administrative act; ids, never names or
 * keys. Append-only in data_dir/audit, each record chained to the one before by SHA-256. The
 * caller appends, then waits for the sync before it releases anything; many wait for one sync.
 * Any thread. Drawn in audit.c.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"
#include "lib/format/ids.h"

#define AUDIT_KINDS(X)                                                                             \
    X(START, 1)                                                                                    \
    X(PROVE, 2)                                                                                    \
    X(GENERATE, 3)                                                                                 \
    X(OPEN, 4)                                                                                     \
    X(CREATE_BUCKET, 5)                                                                            \
    X(ACTIVATE_BUCKET, 6)                                                                          \
    X(DROP_BUCKET, 7)                                                                              \
    X(RENEW_GRANT, 8)                                                                              \
    X(ISSUE_TOKEN, 9)                                                                              \
    X(ACCOUNT_KEYS, 10)                                                                            \
    X(OPEN_SHARD, 11)                                                                              \
    X(CREATE_SHARD, 12)                                                                            \
    X(CREATE_ACCOUNT, 13)                                                                          \
    X(ROTATE_PAIR, 14)                                                                             \
    X(CERT_ADD, 15)                                                                                \
    X(CERT_REMOVE, 16)                                                                             \
    X(CERT_RENEW, 17)                                                                              \
    X(DELEGATE, 18)                                                                                \
    X(CREATE_TENANT, 19)                                                                           \
    X(CREATE_USER, 20)                                                                             \
    X(DISABLE_USER, 21)

enum audit_kind {
#define X(name, number) AUDIT_##name = (number),
    AUDIT_KINDS(X)
#undef X
};

enum { AUDIT_WHO_SIZE = 20, AUDIT_RECORD_SIZE = 192 };

struct audit_event {
    enum audit_kind kind;
    uint8_t flag;             /* Of the kind: perm, state, 1 for a broken chain at START. */
    uint32_t number;          /* Of the kind: rights, shard, fence, count. */
    uint8_t caller[32];       /* SHA-256 of the caller's certificate. */
    char who[AUDIT_WHO_SIZE]; /* Access key, or zeros. */
    struct id16 tenant;
    struct id16 bucket;
    struct id16 subject; /* data16, jti, account, first half of a certificate's SHA-256. */
};

struct audit;

/* Reads and checks the whole chain; *ret_is_broken tells that a record is missing or changed.
 * The log goes on either way, with a START record that says it. */
MUST_CHECK struct status audit_open(const char *dir, struct audit **ret_audit, bool *ret_is_broken);
void audit_free(struct audit *audit);

/*
 * Called once, when a sync has failed: records are lost, and what followed them would be no chain,
 * so that nothing is taken any more until the log is opened again. Set before other threads append.
 */
void audit_on_fatal(
    struct audit *audit, void (*on_fatal)(void *context, struct status status), void *context);

MUST_CHECK struct status
audit_append(struct audit *audit, const struct audit_event *event, uint64_t *ret_lsn);

/* Wait until the record lsn and all before are on the disk. */
MUST_CHECK struct status audit_sync(struct audit *audit, uint64_t lsn);

/* Both at once. */
MUST_CHECK struct status audit_record(struct audit *audit, const struct audit_event *event);

uint64_t audit_records(struct audit *audit);

const char *audit_kind_name(enum audit_kind kind);

DEFINE_OWNED(audit)
