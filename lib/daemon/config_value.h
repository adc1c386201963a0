#pragma once

/* Numbers as an operator writes them: "64MiB", "10m", "4096". */

#include "lib/daemon/config.h"

/* INVALID if text is not a number of that kind (SIZE, COUNT or DURATION). */
MUST_CHECK struct status
config_value_parse(struct bytes text, enum config_kind kind, uint64_t *ret_value);

/* The shortest text that parses to the same value. */
void config_value_print(enum config_kind kind, uint64_t value, struct buffer *text);
