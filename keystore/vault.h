#pragma once

/*
 * One vault partition: a directory with a seal and a kv whose DEK is the seal's SEK. Nobody stands
 * above it: its fence is its highest epoch row + 1, under flock, and a rollback of the whole
 * directory is not noticed. Reads and plans by any thread.
 */

#include "keystore/seal.h"
#include "lib/kv/kv.h"

struct vault;

struct vault_options {
    const char *dir;
    const struct secret *slot_key;
    void (*on_fatal)(void *context, struct status status); /* As of kv. */
    void *on_fatal_context;
};

/* Make the directory, its seal and an empty kv. EXISTS if there is a seal. */
MUST_CHECK struct status vault_create(const char *dir, const struct secret *slot_key);

/* BUSY: another process has it. DENIED: wrong key. CORRUPT: damaged. */
MUST_CHECK struct status vault_open(const struct vault_options *options, struct vault **ret_vault);
void vault_free(struct vault *vault);

const struct secret *vault_root(const struct vault *vault);

/* Append the value of a row; NOT_FOUND. */
MUST_CHECK struct status vault_get(struct vault *vault, struct bytes key, struct buffer *value);

/* Run a plan; see kv_apply. */
MUST_CHECK struct status vault_apply(struct vault *vault, kv_plan_fn *plan, void *arg);

/* One row, whatever was there. */
MUST_CHECK struct status vault_put(struct vault *vault, struct bytes key, struct bytes value);

/* Every row whose key begins with prefix, in key order; stops at the first failure of row(). The
 * views live during the call. */
typedef struct status vault_row_fn(void *context, struct bytes key, struct bytes value);
MUST_CHECK struct status
vault_walk(struct vault *vault, struct bytes prefix, vault_row_fn *row, void *context);

/* Rows under a prefix. */
MUST_CHECK struct status vault_count(struct vault *vault, struct bytes prefix, uint32_t *ret_count);

DEFINE_OWNED(vault)
