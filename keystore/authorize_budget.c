#include "keystore/authorize_budget.h"

#include "lib/base/map.h"

#include <pthread.h>
#include <stdlib.h>

enum { CERTIFICATES_MAX = 4096, SECOND_US = 1000000 };

struct allowance {
    uint64_t left;
    int64_t filled_us;
};

struct authorize_budget {
    uint64_t rate_max;
    pthread_mutex_t mutex;
    struct map *allowances; /* Owned, values too, by certificate. */
};

struct status authorize_budget_new(uint64_t rate_max, struct authorize_budget **ret_budget)
{
    OWNED(authorize_budget) struct authorize_budget *budget = calloc(1, sizeof(*budget));
    if (budget == NULL) {
        return FAIL(NO_MEMORY, "budget");
    }
    budget->rate_max = rate_max;
    pthread_mutex_init(&budget->mutex, NULL);
    TRY(map_new(32, &budget->allowances));
    *ret_budget = TAKE(budget);
    return OK;
}

void authorize_budget_free(struct authorize_budget *budget)
{
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;

    if (budget == NULL) {
        return;
    }
    while (budget->allowances != NULL && map_next(budget->allowances, &cursor, &key, &value)) {
        free(value);
    }
    map_free(budget->allowances);
    pthread_mutex_destroy(&budget->mutex);
    free(budget);
}

/* NULL when there are too many certificates: then nothing is allowed to a new one. */
static struct allowance *
allowance_of(struct authorize_budget *budget, const uint8_t cert_sha256[32], int64_t now_us)
{
    struct allowance *allowance = map_get(budget->allowances, cert_sha256);

    if (allowance != NULL || map_count(budget->allowances) >= CERTIFICATES_MAX) {
        return allowance;
    }
    allowance = malloc(sizeof(*allowance));
    if (allowance == NULL) {
        return NULL;
    }
    *allowance = (struct allowance){.left = budget->rate_max, .filled_us = now_us};
    if (!status_ok(map_put(budget->allowances, cert_sha256, allowance, NULL))) {
        free(allowance);
        return NULL;
    }
    return allowance;
}

static void refill(const struct authorize_budget *budget, struct allowance *allowance, int64_t now)
{
    int64_t passed = now - allowance->filled_us;

    if (passed >= SECOND_US) {
        allowance->left = budget->rate_max;
        allowance->filled_us = now;
        return;
    }
    uint64_t more = budget->rate_max * (uint64_t)(passed < 0 ? 0 : passed) / SECOND_US;
    if (more > 0) {
        uint64_t left = allowance->left + more;
        allowance->left = left < budget->rate_max ? left : budget->rate_max;
        allowance->filled_us = now;
    }
}

size_t authorize_budget_take(
    struct authorize_budget *budget, const uint8_t cert_sha256[32], size_t count, int64_t now_us)
{
    if (budget->rate_max == 0) {
        return count;
    }
    LOCKED(&budget->mutex);
    struct allowance *allowance = allowance_of(budget, cert_sha256, now_us);
    if (allowance == NULL) {
        return 0;
    }
    refill(budget, allowance, now_us);
    size_t taken = count < allowance->left ? count : (size_t)allowance->left;
    allowance->left -= taken;
    return taken;
}
