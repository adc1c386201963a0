#pragma once

/* What the handlers of the service share: its state, and how each begins and answers. */

#include "contentdb/commit_check.h"
#include "contentdb/content_service.h"
#include "contentdb/plan.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CONTENT_PAGES_MAX_ANSWER = 32,
    CONTENT_ITEM_BYTES = 1024 * 1024,       /* Pages of one answer, about. */
    CONTENT_REPLY_BYTES = 12 * 1024 * 1024, /* Of all items of one call. */
};

struct content_service {
    struct content_service_options options;
    atomic_uint_fast32_t last_account; /* Accounts 1 to this are known. */
    pthread_mutex_t steward_mutex;
    int64_t steward_seen_ms; /* When the steward came last, or we started. Monotonic. */
};

/* Every handler begins with it: stop if the caller has seen a later instance, else say where we
 * stand. */
MUST_CHECK struct status content_state_begin(
    struct content_service *service, struct rpc_call *call, const Triad__Content__Position *seen,
    Triad__Content__Position **ret_position);

/* DENIED: the caller's grant does not fit. bucket: of the request, must be the grant's; NULL where
 * the request names none. */
MUST_CHECK struct status content_state_grant(
    struct content_service *service, struct rpc_call *call, ProtobufCBinaryData grant,
    const ProtobufCBinaryData *bucket, unsigned rights, struct grant *ret_grant);

/* Run one plan with the environment of the call; position is brought up to date. */
Triad__Content__Outcome content_state_apply(
    struct content_service *service, struct rpc_call *call, plan_fn *fn, void *arg,
    Triad__Content__Position *position, uint64_t *ret_seq);
/* The same for several. */
void content_state_apply_all(
    struct content_service *service, struct rpc_call *call, struct plan_task *tasks, size_t count,
    Triad__Content__Position *position);

/* INVALID for what the caller did wrong, with a log line; UNAVAILABLE otherwise. */
Triad__Content__Outcome content_state_refused(const char *what, struct status status);
