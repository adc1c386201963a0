#pragma once

/* Threads that run calls, first come first served. Who pushes bounds how many wait. */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

struct rpc_workers;
struct rpc_call;

MUST_CHECK struct status rpc_workers_start(
    unsigned count, void (*run)(struct rpc_call *call), struct rpc_workers **ret_workers);

/* Runs what still waits, joins the threads. */
void rpc_workers_free(struct rpc_workers *workers);
DEFINE_OWNED(rpc_workers)

void rpc_workers_push(struct rpc_workers *workers, struct rpc_call *call);
