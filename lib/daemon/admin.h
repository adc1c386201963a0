#pragma once

/*
 * The admin port: GET /health (200 "ready", or 503 and what is waited for) and GET /metrics, over
 * plain HTTP/1.0 on an address that only the operator reaches. One thread, one request at a time,
 * 2 s a request, 4 KiB a request.
 *
 * Every answer tells who answers and what time it is here, so that `triad doctor` can compare:
 *     Server: triad-<name>/<version>
 *     Date: as HTTP has it
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

struct admin;

/* health() returns a literal when not ready, NULL when ready. name is the daemon's, a literal. */
MUST_CHECK struct status admin_start(
    const char *address, const char *name, const char *(*health)(void *context), void *context,
    struct admin **ret_admin);
int admin_port(const struct admin *admin);
void admin_free(struct admin *admin);

DEFINE_OWNED(admin)
