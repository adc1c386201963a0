/*
 * Both engines keep the promises of shard_store.h; the embedded one keeps them over a crash of the
 * host too, and never runs LMDB with a flag that gives a sync up.
 */

#include "lib/kv/shard_store.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/kv/kv.h"
#include "lib/kv/shard_nodes.h"
#include "lib/kv/shard_store_embedded.h"
#include "lib/kv/shard_store_memory.h"
#include "tests/support/cmocka.h"
#include "tests/unit/kv/kv_model.h"
#include "tests/unit/kv/kv_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>

enum { LOG_MAX = 1024 * 1024 };

struct fixture {
    bool is_memory;
    char path[KV_SUPPORT_PATH];
    struct shard_store_embedded_options options;
    struct shard_store *store;
};

static void open_store(struct fixture *f)
{
    if (f->is_memory) {
        assert_ok(shard_store_memory_new(&f->store));
        return;
    }
    assert_ok(shard_store_embedded_open(f->path, &f->options, &f->store));
}

static void reopen(struct fixture *f)
{
    if (f->is_memory) {
        shard_store_memory_crash(f->store, 2);
        return;
    }
    shard_store_free(f->store);
    f->store = NULL;
    open_store(f);
}

static int setup_kind(void **state, bool is_memory)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    close(kv_support_dir_new(f->path));
    f->is_memory = is_memory;
    f->options.segment_size = 64 * 1024;
    f->options.map_size = 64 * 1024 * 1024;
    open_store(f);
    *state = f;
    return 0;
}

static int setup_memory(void **state)
{
    return setup_kind(state, true);
}

static int setup_embedded(void **state)
{
    return setup_kind(state, false);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    shard_store_free(f->store);
    kv_support_tree_free(f->path);
    free(f);
    return 0;
}

static struct bytes record_of(uint32_t number, uint8_t to[4000])
{
    memset(to, (int)number, 4000);
    encode_u32(to, number);
    return bytes_of(to, 4 + number % 3990);
}

static void append(struct fixture *f, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        uint8_t record[4000];
        assert_ok(f->store->methods->log_append(f->store, record_of(i, record)));
    }
}

/* Records from a position to the end are [from, to). Returns the position of record `at`. */
static shard_position
check_log(struct fixture *f, shard_position position, uint32_t from, uint32_t to, uint32_t at)
{
    shard_position found = 0;
    BUFFER(got, LOG_MAX);
    bool is_torn = true;
    for (uint32_t i = from; i < to; i++) {
        shard_position before = position;
        uint8_t want[4000];
        buffer_reset(&got);
        assert_ok(f->store->methods->log_read(f->store, &position, &got, &is_torn));
        assert_true(position > before);
        assert_true(bytes_equal(buffer_bytes(&got), record_of(i, want)));
        if (i + 1 == at) {
            found = position;
        }
    }
    assert_status(
        f->store->methods->log_read(f->store, &position, &got, &is_torn), STATUS_NOT_FOUND);
    assert_false(is_torn);
    return found;
}

static void the_log_gives_back_what_was_appended(void **state)
{
    struct fixture *f = *state;
    check_log(f, 0, 0, 0, 0);
    append(f, 0, 150);
    check_log(f, 0, 0, 150, 0);
    reopen(f);
    shard_position middle = check_log(f, 0, 0, 150, 70);
    check_log(f, middle, 70, 150, 0);
    append(f, 150, 170);
    check_log(f, 0, 0, 170, 0);
}

static void epochs_only_rise(void **state)
{
    struct fixture *f = *state;
    const struct shard_store_methods *methods = f->store->methods;
    uint32_t last;
    BUFFER(row, 100);
    assert_status(methods->epoch_last(f->store, &last), STATUS_NOT_FOUND);
    assert_ok(methods->fence(f->store, 5, bytes_text("five")));
    assert_ok(methods->fence(f->store, 300, bytes_text("three hundred")));
    assert_status(methods->fence(f->store, 300, bytes_text("x")), STATUS_STALE);
    assert_status(methods->fence(f->store, 6, bytes_text("x")), STATUS_STALE);
    /* Other rows do not confuse the search for the last. */
    uint64_t id = 7;
    struct bytes node = bytes_text("node");
    assert_ok(methods->nodes_put(f->store, &id, &node, 1));
    reopen(f);
    assert_ok(methods->epoch_last(f->store, &last));
    assert_int_equal(last, 300);
    assert_ok(methods->epoch_get(f->store, 5, &row));
    assert_true(bytes_equal(buffer_bytes(&row), bytes_text("five")));
    assert_status(methods->epoch_get(f->store, 6, &row), STATUS_NOT_FOUND);
}

static void nodes_stay_until_they_are_dead_or_trimmed(void **state)
{
    struct fixture *f = *state;
    const struct shard_store_methods *methods = f->store->methods;
    enum { NODES = 5000 };
    static uint64_t ids[NODES];
    static struct bytes nodes[NODES];
    for (uint64_t i = 0; i < NODES; i++) {
        ids[i] = i * 3;
        nodes[i] = bytes_of(&ids[i], 8);
    }
    assert_ok(methods->nodes_put(f->store, ids, nodes, NODES));
    assert_ok(methods->nodes_put(f->store, ids, nodes, 10));
    BUFFER(got, 5000);
    assert_status(methods->root_get(f->store, &got), STATUS_NOT_FOUND);
    assert_ok(methods->root_set(f->store, bytes_text("root 1"), 0, ids + 2, 1));
    reopen(f);
    assert_ok(methods->root_get(f->store, &got));
    assert_true(bytes_equal(buffer_bytes(&got), bytes_text("root 1")));
    assert_status(methods->node_get(f->store, ids[2], &got), STATUS_NOT_FOUND);
    buffer_reset(&got);
    assert_ok(methods->node_get(f->store, ids[3], &got));
    assert_true(bytes_equal(buffer_bytes(&got), nodes[3]));
    assert_ok(methods->nodes_trim(f->store, ids[100]));
    assert_ok(methods->node_get(f->store, ids[99], &got));
    assert_status(methods->node_get(f->store, ids[100], &got), STATUS_NOT_FOUND);
    assert_status(methods->node_get(f->store, ids[NODES - 1], &got), STATUS_NOT_FOUND);
}

static void the_log_can_be_trimmed(void **state)
{
    struct fixture *f = *state;
    append(f, 1000, 1200);
    shard_position trim = check_log(f, 0, 1000, 1200, 1120);
    assert_ok(f->store->methods->root_set(f->store, bytes_text("r"), trim, NULL, 0));
    check_log(f, 0, 1120, 1200, 0);
    reopen(f);
    check_log(f, 0, 1120, 1200, 0);
    append(f, 1200, 1210);
    /* All of it: positions go on. */
    shard_position end = check_log(f, 0, 1120, 1210, 1210);
    assert_ok(f->store->methods->root_set(f->store, bytes_text("s"), end, NULL, 0));
    reopen(f);
    check_log(f, 0, 0, 0, 0);
    append(f, 1210, 1220);
    reopen(f);
    check_log(f, end, 1210, 1220, 0);
    check_log(f, 0, 1210, 1220, 0);
}

static void one_process_has_the_directory(void **state)
{
    struct fixture *f = *state;
    struct shard_store *second = NULL;
    assert_status(shard_store_embedded_open(f->path, &f->options, &second), STATUS_BUSY);
}

static void trimmed_segments_are_gone(void **state)
{
    struct fixture *f = *state;
    append(f, 1000, 1200);
    char first[2 * KV_SUPPORT_PATH];
    snprintf(first, sizeof(first), "%s/log/%016x.seg", f->path, 1);
    assert_int_equal(access(first, F_OK), 0);
    shard_position trim = check_log(f, 0, 1000, 1200, 1120);
    assert_ok(f->store->methods->root_set(f->store, bytes_text("r"), trim, NULL, 0));
    assert_int_equal(access(first, F_OK), -1);
}

static void lmdb_gives_no_sync_up(void **state)
{
    (void)state;
    char path[KV_SUPPORT_PATH];
    close(kv_support_dir_new(path));
    struct shard_nodes *nodes = NULL;
    assert_ok(shard_nodes_open(path, 1024 * 1024, &nodes));
    unsigned flags = ~0U;
    assert_ok(shard_nodes_flags(nodes, &flags));
    assert_int_equal(
        flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_WRITEMAP | MDB_MAPASYNC | MDB_NOMEMINIT |
                 MDB_NOLOCK),
        0);
    shard_nodes_free(nodes);
    kv_support_tree_free(path);
}

static void a_lost_record_is_damage_and_a_lost_tail_is_not(void **state)
{
    struct fixture *f = *state;
    append(f, 1000, 1010);
    shard_store_free(f->store);
    f->store = NULL;
    char log[2 * KV_SUPPORT_PATH];
    snprintf(log, sizeof(log), "%s/log", f->path);
    BUFFER(got, LOG_MAX);
    bool is_torn;
    shard_position position = 0;
    kv_support_flip(log, "0000000000000001.seg", 64 + 100, 0);
    open_store(f);
    assert_status(f->store->methods->log_read(f->store, &position, &got, &is_torn), STATUS_CORRUPT);
    shard_store_free(f->store);
    f->store = NULL;
    kv_support_flip(log, "0000000000000001.seg", 64 + 100, 0);
    kv_support_flip(log, "0000000000000001.seg", 64 + 9 * 1072 + 100, 0);
    open_store(f);
    check_log(f, 0, 1000, 1009, 0);
    append(f, 1009, 1012);
    reopen(f);
    check_log(f, 0, 1000, 1012, 0);
}

struct host {
    char now[KV_SUPPORT_PATH];
    char then[KV_SUPPORT_PATH];
    char torn[KV_SUPPORT_PATH];
};

static void below(const char *dir, const char *name, char path[2 * KV_SUPPORT_PATH])
{
    snprintf(path, 2 * KV_SUPPORT_PATH, "%s/%s", dir, name);
    if (mkdir(path, 0700) != 0) {
        assert_int_equal(access(path, X_OK), 0);
    }
}

static void copy_store(const char *from, const char *to)
{
    char source[2 * KV_SUPPORT_PATH];
    char target[2 * KV_SUPPORT_PATH];
    below(from, "log", source);
    below(to, "log", target);
    kv_support_copy(source, target);
    below(from, "nodes", source);
    below(to, "nodes", target);
    kv_support_copy(source, target);
}

static void tear_store(const struct host *host, uint64_t *seed)
{
    char then[2 * KV_SUPPORT_PATH];
    char now[2 * KV_SUPPORT_PATH];
    char torn[2 * KV_SUPPORT_PATH];
    copy_store(host->now, host->torn);
    below(host->then, "log", then);
    below(host->now, "log", now);
    below(host->torn, "log", torn);
    kv_support_tear(then, now, torn, seed);
}

static struct status open_kv(
    const char *path, struct kv_options *options, struct shard_store **ret_store,
    struct kv **ret_kv)
{
    struct shard_store_embedded_options store_options = {
        .segment_size = 4 * 1024 * 1024, .map_size = 64 * 1024 * 1024};
    options->fence++;
    TRY(shard_store_embedded_open(path, &store_options, ret_store));
    return kv_open(*ret_store, options, ret_kv);
}

/* Plans up to here are acknowledged; of one more, the log may hold anything. */
static void power_cuts_lose_no_acknowledged_plan(void **state)
{
    (void)state;
    struct host host;
    close(kv_support_dir_new(host.now));
    close(kv_support_dir_new(host.then));
    close(kv_support_dir_new(host.torn));
    OWNED(secret) struct secret *dek = NULL;
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &dek));
    struct kv_dek deks[1] = {{1, dek}};
    struct kv_options options = {.deks = deks, .deks_count = 1};
    struct kv_model *model = kv_model_new();
    uint64_t seed = 31337;
    int64_t deadline = clock_monotonic_ms() + 60 * 1000;
    for (int round = 0; round < 25; round++) {
        struct shard_store *store = NULL;
        struct kv *kv = NULL;
        assert_ok(open_kv(host.now, &options, &store, &kv));
        assert_true(kv_model_matches(model, kv));
        struct kv_model_plan plan = {.keys = 300};
        for (uint64_t i = kv_support_next(&seed) % 20; i > 0; i--) {
            plan.seed = kv_support_next(&seed);
            struct status status = kv_apply(kv, kv_model_plan_run, &plan, deadline, NULL);
            assert_int_equal(status_ok(status), kv_model_apply(model, plan.seed, plan.keys));
        }
        kv_anchor_get(kv, &options.lowest);
        copy_store(host.now, host.then);
        plan.seed = kv_support_next(&seed);
        bool is_good = status_ok(kv_apply(kv, kv_model_plan_run, &plan, deadline, NULL));
        kv_free(TAKE(kv));
        shard_store_free(TAKE(store));
        tear_store(&host, &seed);
        assert_ok(open_kv(host.torn, &options, &store, &kv));
        if (!kv_model_matches(model, kv)) {
            assert_true(is_good && kv_model_apply(model, plan.seed, plan.keys));
            assert_true(kv_model_matches(model, kv));
        }
        kv_free(kv);
        shard_store_free(store);
        copy_store(host.torn, host.now);
    }
    kv_model_free(model);
    kv_support_tree_free(host.now);
    kv_support_tree_free(host.then);
    kv_support_tree_free(host.torn);
}

#define BOTH(test)                                                                                 \
    {#test " (memory)", test, setup_memory, teardown, NULL},                                       \
    {                                                                                              \
#test " (embedded)", test, setup_embedded, teardown, NULL                                  \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(the_log_gives_back_what_was_appended),
        BOTH(epochs_only_rise),
        BOTH(nodes_stay_until_they_are_dead_or_trimmed),
        BOTH(the_log_can_be_trimmed),
        cmocka_unit_test_setup_teardown(one_process_has_the_directory, setup_embedded, teardown),
        cmocka_unit_test_setup_teardown(trimmed_segments_are_gone, setup_embedded, teardown),
        cmocka_unit_test_setup_teardown(lmdb_gives_no_sync_up, setup_embedded, teardown),
        cmocka_unit_test_setup_teardown(
            a_lost_record_is_damage_and_a_lost_tail_is_not, setup_embedded, teardown),
        cmocka_unit_test(power_cuts_lose_no_acknowledged_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
