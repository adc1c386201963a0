#pragma once

/*
 * Key material: the only type that holds it.
 *
 * Bytes live in OpenSSL's secure heap (locked, guarded, left out of dumps) and are wiped when
 * freed. There is no conversion to text and no log field takes a secret. A secret is immutable
 * once it is shared between threads.
 */

#include "lib/base/bytes.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

enum { SECRET_KEY_SIZE = 32, SECRET_SIZE_MAX = 4096 };

struct secret;

/*
 * Prepare the process for secrets, once, before the first: secure heap of heap_size bytes (a
 * power of two), no core dumps, not dumpable. With is_required a heap that cannot be locked fails.
 * Without this call secrets lie on the ordinary heap, wiped all the same (unit tests).
 */
MUST_CHECK struct status secret_heap_init(size_t heap_size, bool is_required);

/* size zero bytes, to be filled through secret_data. */
MUST_CHECK struct status secret_new(size_t size, struct secret **ret_secret);

/* size bytes of the private random generator. */
MUST_CHECK struct status secret_new_random(size_t size, struct secret **ret_secret);

/* A copy of bytes; the caller wipes its own. */
MUST_CHECK struct status secret_new_copy(struct bytes bytes, struct secret **ret_secret);

void secret_free(struct secret *secret);

struct bytes secret_bytes(const struct secret *secret);
uint8_t *secret_data(struct secret *secret);
size_t secret_size(const struct secret *secret);

/* Constant-time in the contents. */
bool secret_equal(struct bytes a, struct bytes b);

DEFINE_OWNED(secret)
