#pragma once

/* The codes k+m that pages name, each made once and kept. Any thread. */

#include "lib/erasure/erasure.h"

struct erasure_table;

MUST_CHECK struct status erasure_table_new(struct erasure_table **ret_table);
void erasure_table_free(struct erasure_table *table);

/* Borrowed for the table's life. INVALID for a k and m that cannot be. */
MUST_CHECK struct status erasure_table_get(
    struct erasure_table *table, unsigned k, unsigned m, const struct erasure **ret_erasure);

DEFINE_OWNED(erasure_table)
