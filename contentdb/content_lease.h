#pragma once

/*
 * A frontend's lease on a shard (DESIGN 8) and the content10 numbers under it.
 *
 * A thread opens a lease, renews it each 60 s, and takes a new one when it was closed or its
 * numbers ran out. Nothing under an open lease is ever swept. Any thread.
 */

#include "contentdb/content_client.h"

struct content_lease;

/* client outlives us. Returns at once; the lease comes as soon as the content DB answers. */
MUST_CHECK struct status
content_lease_start(struct content_client *client, struct content_lease **ret_lease);
void content_lease_free(struct content_lease *lease);

/* A number that no other upload has. UNAVAILABLE while there is no open lease. */
MUST_CHECK struct status
content_lease_next(struct content_lease *lease, struct content *ret_content);

/* A commit under content was answered LEASE_CLOSED: take a new lease now, not at the next renewal.
 */
void content_lease_lost(struct content_lease *lease, const struct content *content);

/* True while a lease is open: for health. */
bool content_lease_is_open(struct content_lease *lease);

DEFINE_OWNED(content_lease)
