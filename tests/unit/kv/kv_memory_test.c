/* Wherever memory runs out, a plan happens whole or not at all, and the kv goes on. */

#include "lib/base/clock.h"
#include "lib/kv/kv.h"
#include "lib/kv/shard_store_memory.h"
#include "tests/support/cmocka.h"
#include "tests/unit/kv/kv_model.h"
#include "tests/unit/kv/kv_support.h"

#include <stdatomic.h>

/* The k-th allocation from now on fails, once; 0: none. */
static atomic_int countdown;

static bool fails(void)
{
    return atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

static void each_lost_allocation_fails_cleanly(void **state)
{
    (void)state;
    OWNED(secret) struct secret *dek = NULL;
    OWNED(shard_store) struct shard_store *store = NULL;
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &dek));
    assert_ok(shard_store_memory_new(&store));
    struct kv_dek deks[1] = {{1, dek}};
    struct kv_options options = {.deks = deks, .deks_count = 1};
    struct kv_model *model = kv_model_new();
    uint64_t seed = 5;
    int64_t deadline = clock_monotonic_ms() + 60 * 1000;
    int lost = 0;
    for (int after = 1; after < 150; after++) {
        struct kv *kv = NULL;
        options.fence++;
        atomic_store(&countdown, after);
        struct status status = kv_open(store, &options, &kv);
        atomic_store(&countdown, 0);
        assert_true(status_ok(status) || status.code == STATUS_NO_MEMORY);
        kv_free(TAKE(kv));
        options.fence++;
        assert_ok(kv_open(store, &options, &kv));
        for (int i = 0; i < 8; i++) {
            struct kv_model_plan plan = {.seed = kv_support_next(&seed), .keys = 200};
            atomic_store(&countdown, 1 + (after + i * 5) % 24);
            status = kv_apply(kv, kv_model_plan_run, &plan, deadline, NULL);
            atomic_store(&countdown, 0);
            /* A model's own allocations are CHECKed: it is run only where none can fail. */
            if (status_ok(status)) {
                assert_true(kv_model_apply(model, plan.seed, plan.keys));
            }
            assert_true(
                status_ok(status) || status.code == STATUS_NO_MEMORY ||
                status.code == STATUS_CONFLICT || status.code == STATUS_UNKNOWN);
            lost += status.code == STATUS_NO_MEMORY ? 1 : 0;
            if (status.code == STATUS_UNKNOWN) {
                break; /* The store itself had no memory: as after an IO error. */
            }
        }
        kv_free(TAKE(kv));
        options.fence++;
        assert_ok(kv_open(store, &options, &kv));
        assert_true(kv_model_matches(model, kv));
        kv_free(kv);
    }
    kv_model_free(model);
    assert_in_range(lost, 300, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_lost_allocation_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
