/* A shard is written only while the key store has been heard of, counted from the asking. */

#include "contentdb/shard_anchor.h"

#include "lib/base/clock.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"
#include "tests/unit/contentdb/content_fixture.h"

static struct content_fixture db;
static struct test_pki *pki;
static struct rpc_client *rpc;
static struct key_client *keys;
static struct grant_gate *gate;

static int setup(void **state)
{
    (void)state;
    content_fixture_open(&db);
    assert_ok(test_pki_new("test", &pki));
    assert_ok(test_pki_issue(pki, "contentdb", "c1", NULL));
    const struct rpc_client_options options = {
        .tls = test_pki_files(pki, "contentdb", "c1"), .message_max = 65536, .arena_max = 65536};
    assert_ok(rpc_client_start(&options, &rpc));
    /* Nobody listens there: the key store is away. */
    assert_ok(key_client_new(rpc, "127.0.0.1:9", "keystore.keystore.test", NULL, &keys));
    assert_ok(grant_gate_new(&gate));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    grant_gate_free(gate);
    key_client_free(keys);
    rpc_client_free(rpc);
    test_pki_free(pki);
    content_fixture_close(&db);
    return 0;
}

static void never(void *context, struct status status)
{
    (void)context;
    (void)status;
    fail();
}

static void check(int64_t opened_ms_ago, bool is_fresh, bool is_sole)
{
    const struct shard_anchor_options options = {
        .kv = db.kv,
        .key_client = keys,
        .gate = gate,
        .opened_ms = clock_monotonic_ms() - opened_ms_ago,
        .on_lost = never,
    };
    OWNED(shard_anchor) struct shard_anchor *anchor = NULL;
    assert_ok(shard_anchor_start(&options, &anchor));
    assert_int_equal(shard_anchor_is_fresh(anchor), is_fresh);
    assert_int_equal(shard_anchor_is_sole(anchor), is_sole);
}

/* Reading a long log takes its time, in which another instance may have been let in. */
static void the_time_since_the_shard_was_opened_counts(void **state)
{
    (void)state;
    check(0, true, true);
    check(3000, true, false);
    check(11000, false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_since_the_shard_was_opened_counts),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
