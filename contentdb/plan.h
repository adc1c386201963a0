#pragma once

/*
 * Plans of the content DB: what runs on the kv's writer, and how its answer gets back.
 *
 * A plan is pure: time, caller and fence come in through the environment. It either refuses before
 * its first write, with an outcome, or writes everything. So several plans run as one kv plan, in
 * one commit, each with an outcome of its own.
 */

#include "contentdb/outcome.h"
#include "contentdb/row_key.h"
#include "lib/kv/kv.h"

/* What a plan may know of the world. */
struct plan_env {
    uint64_t now_ms;        /* Unix time. */
    uint64_t quarantine_ms; /* From dead to due. */
    uint32_t fence;
    const char *uri; /* SAN URI of the caller. */
    const uint8_t *cert_sha256;
};

struct plan {
    struct kv_view *view;
    const struct plan_env *env;
    Triad__Content__Outcome outcome;
    size_t writes; /* Rows put or deleted so far by all plans of the group. */
};

/* Reset arg's outputs first: it may run more than once. */
typedef struct status plan_fn(struct plan *plan, void *arg);

struct plan_task {
    plan_fn *fn;
    void *arg;
    struct bytes name; /* Tasks with equal names never share a commit sequence. */
    /* Set by plan_apply: */
    Triad__Content__Outcome outcome;
    uint64_t seq; /* Of the commit, if the plan wrote. */
};

/*
 * Run tasks, in order, and wait until they are durable; an error becomes an outcome: UNKNOWN if it
 * may have happened, FULL, INVALID (too large for a plan), else UNAVAILABLE. Errors that nobody
 * expects are logged.
 */
void plan_apply(
    struct kv *kv, const struct plan_env *env, struct plan_task *tasks, size_t count,
    int64_t deadline_ms);

/* The same for one plan. */
Triad__Content__Outcome plan_apply_one(
    struct kv *kv, const struct plan_env *env, plan_fn *fn, void *arg, int64_t deadline_ms,
    uint64_t *ret_seq);

/* End the plan with an outcome, without having written: return plan_settle(plan, OUTCOME(DENIED)).
 */
MUST_CHECK struct status plan_settle(struct plan *plan, Triad__Content__Outcome outcome);

/* Inside plans. found is false where there is no row. */
MUST_CHECK struct status
plan_get(struct plan *plan, struct bytes key, struct bytes *ret_value, bool *ret_found);
/* The first row from key on that starts with prefix. */
MUST_CHECK struct status plan_seek(
    struct plan *plan, struct bytes from, struct bytes prefix, struct bytes *ret_key,
    struct bytes *ret_value, bool *ret_found);
MUST_CHECK struct status plan_put(struct plan *plan, struct bytes key, struct bytes value);
/* A value that was encoded into a buffer. */
MUST_CHECK struct status
plan_put_row(struct plan *plan, struct bytes key, const struct buffer *value);
MUST_CHECK struct status plan_delete(struct plan *plan, struct bytes key);
