#pragma once

/*
 * The accounts that a shard 0 lists, read anew every 5 s by a thread of its own.
 *
 * Readers take a snapshot, which is immutable and counted; a new one replaces it only when
 * something changed. Any thread.
 */

#include "contentdb/account_snapshot.h"
#include "contentdb/content_client.h"

struct account_directory;

/* Called on the directory's thread with each snapshot that differs from the one before. */
typedef void account_change_fn(void *context, const struct account_snapshot *snapshot);

struct account_directory_options {
    struct content_client *client; /* Outlives us. */
    int64_t refresh_ms;            /* 0: 5,000. */
    account_change_fn *on_change;  /* May be NULL. */
    void *context;
};

/* Returns at once, with an empty snapshot until the first answer. */
MUST_CHECK struct status account_directory_start(
    const struct account_directory_options *options, struct account_directory **ret_directory);
void account_directory_free(struct account_directory *directory);

/* The accounts now; free it. Never NULL. */
const struct account_snapshot *account_directory_take(struct account_directory *directory);

/* Ask now: an account number was met that the snapshot does not have. */
void account_directory_hurry(struct account_directory *directory);

DEFINE_OWNED(account_directory)
