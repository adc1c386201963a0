#include "frontend/erasure_table.h"

#include <pthread.h>
#include <stdlib.h>

struct erasure_table {
    pthread_mutex_t mutex;
    struct erasure *codes[ERASURE_FRAGMENTS_MAX + 1][ERASURE_FRAGMENTS_MAX + 1]; /* Owned. */
};

struct status erasure_table_new(struct erasure_table **ret_table)
{
    struct erasure_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return FAIL(NO_MEMORY, "erasure table");
    }
    pthread_mutex_init(&table->mutex, NULL);

    *ret_table = table;
    return OK;
}

void erasure_table_free(struct erasure_table *table)
{
    if (table == NULL) {
        return;
    }
    for (unsigned k = 0; k <= ERASURE_FRAGMENTS_MAX; k++) {
        for (unsigned m = 0; m <= ERASURE_FRAGMENTS_MAX; m++) {
            erasure_free(table->codes[k][m]);
        }
    }
    pthread_mutex_destroy(&table->mutex);
    free(table);
}

struct status erasure_table_get(
    struct erasure_table *table, unsigned k, unsigned m, const struct erasure **ret_erasure)
{
    if (k == 0 || k > ERASURE_FRAGMENTS_MAX || m > ERASURE_FRAGMENTS_MAX - k) {
        return FAIL(INVALID, "number of fragments");
    }
    LOCKED(&table->mutex);
    if (table->codes[k][m] == NULL) {
        TRY(erasure_new(k, m, &table->codes[k][m]));
    }

    *ret_erasure = table->codes[k][m];
    return OK;
}
