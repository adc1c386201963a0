#pragma once

/*
 * The admin port: GET /health (200 "ready", or 503 and what is waited for) and GET /metrics, over
 * plain HTTP/1.0 on an address that only the operator reaches. One thread, one request at a time,
 * 2 s a request, 4 KiB a request.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

struct admin;

/* health() returns a literal when not ready, NULL when ready. */
MUST_CHECK struct status admin_start(
    const char *address, const char *(*health)(void *context), void *context,
    struct admin **ret_admin);
int admin_port(const struct admin *admin);
void admin_free(struct admin *admin);

DEFINE_OWNED(admin)
