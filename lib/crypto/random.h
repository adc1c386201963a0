#pragma once

/* Random bytes that may be seen by others: ids, salts, names. Keys come from secret_new_random. */

#include "lib/base/status.h"

#include <stddef.h>

MUST_CHECK struct status random_bytes(void *to, size_t size);
