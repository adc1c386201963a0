/* Every put and get ends exactly once and releases its slices exactly once, small ones share calls,
 * and a node that is gone is avoided until it answers. */

#include "blobnode/blob_client.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "tests/unit/blobnode/blob_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct blob_fixture node;
static struct blob_caller frontend;
static struct blob_caller steward;

static int setup(void **state)
{
    (void)state;
    blob_fixture_start(&node);
    blob_fixture_call_as(&node, "frontend", "f1", &frontend);
    blob_fixture_call_as(&node, "steward", "s1", &steward);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    blob_fixture_hang_up(&frontend);
    blob_fixture_hang_up(&steward);
    blob_fixture_stop(&node);
    return 0;
}

static struct id16 id_of(uint32_t number)
{
    struct id16 id = {{0}};
    encode_u32(id.bytes, number * 2654435761U);
    encode_u32(id.bytes + 8, number);
    return id;
}

static int64_t soon(void)
{
    return clock_monotonic_ms() + BLOB_FIXTURE_WAIT_MS;
}

static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    }
    return bytes;
}

static void a_blob_of_any_size_comes_back_whole_and_in_parts(void **state)
{
    (void)state;
    static const size_t SIZES[] = {0, 1, 1000, BLOB_SMALL_MAX, BLOB_SMALL_MAX + 1, 5000000};
    uint8_t *bytes = pattern(5000000);
    for (uint32_t i = 0; i < 6; i++) {
        struct id16 id = id_of(i);
        enum blob_outcome outcome = BLOB_NONE;
        BUFFER(whole, 6000000);
        assert_ok(blob_fixture_put(&frontend, &id, bytes_of(bytes, SIZES[i]), &outcome));
        assert_int_equal(outcome, BLOB_STORED);
        assert_ok(blob_fixture_put(&frontend, &id, bytes_of(bytes, SIZES[i]), &outcome));
        assert_int_equal(outcome, BLOB_SAME);
        assert_ok(blob_fixture_get(&frontend, &id, 0, 0, &whole));
        assert_true(bytes_equal(buffer_bytes(&whole), bytes_of(bytes, SIZES[i])));
        if (SIZES[i] > 700) {
            BUFFER(part, 1000);
            assert_ok(blob_fixture_get(&frontend, &id, 600, 100, &part));
            assert_true(bytes_equal(buffer_bytes(&part), bytes_of(bytes + 600, 100)));
        }
    }
    free(bytes);
}

static void outcomes_come_as_statuses(void **state)
{
    (void)state;
    struct id16 id = id_of(1);
    struct id16 absent = id_of(2);
    enum blob_outcome outcome = BLOB_NONE;
    BUFFER(text, 100);
    assert_ok(blob_fixture_put(&frontend, &id, bytes_text("one"), &outcome));
    assert_status(blob_fixture_put(&frontend, &id, bytes_text("two"), &outcome), STATUS_CONFLICT);
    assert_int_equal(outcome, BLOB_DIFFERS);
    assert_status(blob_fixture_get(&frontend, &absent, 0, 0, &text), STATUS_NOT_FOUND);
    assert_status(blob_fixture_get(&frontend, &id, 2, 2, &text), STATUS_RANGE);
    enum blob_outcome outcomes[2];
    struct id16 ids[2] = {id, absent};
    assert_ok(blob_client_delete(steward.client, BLOB_FIXTURE_NUMBER, ids, 2, soon(), outcomes));
    assert_int_equal(outcomes[0], BLOB_STORED);
    assert_int_equal(outcomes[1], BLOB_NOT_FOUND);
    assert_status(blob_fixture_put(&frontend, &id, bytes_text("one"), &outcome), STATUS_STALE);
    assert_int_equal(outcome, BLOB_TRASHED);
    assert_status(blob_fixture_get(&frontend, &id, 0, 0, &text), STATUS_NOT_FOUND);
    assert_status(
        blob_client_delete(frontend.client, BLOB_FIXTURE_NUMBER, ids, 1, soon(), outcomes),
        STATUS_DENIED);
}

/* ---------------------------------------------------------------- many at once */

static atomic_int released;
static atomic_int done_ok;
static atomic_int done_other;
static atomic_int last_code;

static void release(void *arg)
{
    (void)arg;
    atomic_fetch_add(&released, 1);
}

static void count_put(void *arg, struct status status, enum blob_outcome outcome)
{
    (void)arg;
    (void)outcome;
    atomic_store(&last_code, (int)status.code);
    atomic_fetch_add(status_ok(status) ? &done_ok : &done_other, 1);
}

static void reset(void)
{
    atomic_store(&released, 0);
    atomic_store(&done_ok, 0);
    atomic_store(&done_other, 0);
}

static void put_counted(
    uint32_t account, uint32_t number, struct bytes bytes, size_t slices_count, int64_t deadline_ms)
{
    struct id16 id = id_of(number);
    struct rpc_slice slices[8];
    size_t step = bytes.size / slices_count;
    for (size_t i = 0; i < slices_count; i++) {
        size_t size = i + 1 < slices_count ? step : bytes.size - i * step;
        slices[i] =
            (struct rpc_slice){.bytes = bytes_slice(bytes, i * step, size), .release = release};
    }
    blob_client_put(
        frontend.client, account, &id, slices, slices_count, deadline_ms, count_put, NULL);
}

static void wait_for(atomic_int *counter, int wanted)
{
    int64_t deadline_ms = soon();
    while (atomic_load(counter) < wanted && clock_monotonic_ms() < deadline_ms) {
        clock_sleep_ms(2);
    }
    assert_int_equal(atomic_load(counter), wanted);
}

static void small_puts_at_once_share_calls_and_syncs(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static const char TEXT[] = "a small fragment";
    struct blob_store_stat before;
    struct blob_store_stat after;
    blob_store_stat(node.store, &before);
    reset();
    for (uint32_t i = 0; i < COUNT; i++) {
        put_counted(BLOB_FIXTURE_NUMBER, i, bytes_text(TEXT), 2, soon());
    }
    wait_for(&done_ok, COUNT);
    wait_for(&released, 2 * COUNT);
    blob_store_stat(node.store, &after);
    assert_int_equal(after.blobs - before.blobs, COUNT);
    assert_true(after.syncs - before.syncs < COUNT / 10);
    BUFFER(text, 100);
    for (uint32_t i = 0; i < COUNT; i += 99) {
        struct id16 id = id_of(i);
        buffer_reset(&text);
        assert_ok(blob_fixture_get(&frontend, &id, 0, 0, &text));
        assert_true(bytes_equal(buffer_bytes(&text), bytes_text(TEXT)));
    }
}

static struct bytes expected[64];
static atomic_int gets_right;

static void check_get(void *arg, struct status status, const struct rpc_pieces *pieces)
{
    const struct bytes *want = arg;
    uint8_t got[256];
    if (!status_ok(status) || pieces->size != want->size || pieces->size > sizeof(got)) {
        return;
    }
    rpc_pieces_copy(pieces, 0, got, pieces->size);
    if (bytes_equal(bytes_of(got, pieces->size), *want)) {
        atomic_fetch_add(&gets_right, 1);
    }
}

static void small_gets_at_once_get_each_their_own_bytes(void **state)
{
    (void)state;
    uint8_t *bytes = pattern(1000);
    for (uint32_t i = 0; i < 64; i++) {
        struct id16 id = id_of(i);
        enum blob_outcome outcome;
        expected[i] = bytes_of(bytes + i, 100 + i);
        assert_ok(blob_fixture_put(&frontend, &id, expected[i], &outcome));
    }
    atomic_store(&gets_right, 0);
    for (uint32_t i = 0; i < 64; i++) {
        struct id16 id = id_of(i);
        blob_client_get(
            frontend.client, BLOB_FIXTURE_NUMBER, &id, 0, (uint32_t)expected[i].size, soon(),
            check_get, &expected[i]);
    }
    wait_for(&gets_right, 64);
    free(bytes);
}

static void bulk_puts_queue_and_all_arrive(void **state)
{
    (void)state;
    enum { COUNT = 24, SIZE = 300000 };
    uint8_t *bytes = pattern(SIZE + COUNT);
    reset();
    for (uint32_t i = 0; i < COUNT; i++) {
        put_counted(BLOB_FIXTURE_NUMBER, i, bytes_of(bytes + i, SIZE), 8, soon());
    }
    wait_for(&done_ok, COUNT);
    wait_for(&released, 8 * COUNT);
    struct blob_store_stat stat;
    blob_store_stat(node.store, &stat);
    assert_int_equal(stat.bytes, COUNT * SIZE);
    free(bytes);
}

/* ---------------------------------------------------------------- trouble */

static void puts_that_cannot_be_sent_still_end_and_release(void **state)
{
    (void)state;
    reset();
    put_counted(99, 1, bytes_text("unknown account"), 3, soon());
    assert_int_equal(atomic_load(&last_code), STATUS_NOT_FOUND);
    put_counted(BLOB_FIXTURE_NUMBER, 1, bytes_text("too late"), 3, clock_monotonic_ms() - 1);
    assert_int_equal(atomic_load(&last_code), STATUS_TIMEOUT);
    frontend.has_no_tokens = true;
    put_counted(BLOB_FIXTURE_NUMBER, 1, bytes_text("no token"), 3, soon());
    assert_int_equal(atomic_load(&last_code), STATUS_UNAVAILABLE);
    frontend.has_no_tokens = false;
    assert_int_equal(atomic_load(&done_other), 3);
    assert_int_equal(atomic_load(&released), 9);
    /* Our own trouble says nothing about the node. */
    assert_true(blob_client_is_up(frontend.client, BLOB_FIXTURE_NUMBER));
    assert_false(blob_client_is_up(frontend.client, 99));
}

static void wait_until_up(bool wanted)
{
    int64_t deadline_ms = soon();
    while (blob_client_is_up(frontend.client, BLOB_FIXTURE_NUMBER) != wanted &&
           clock_monotonic_ms() < deadline_ms) {
        clock_sleep_ms(20);
    }
    assert_int_equal(blob_client_is_up(frontend.client, BLOB_FIXTURE_NUMBER), wanted);
}

static void a_node_that_is_gone_is_down_until_it_answers_again(void **state)
{
    (void)state;
    struct id16 id = id_of(1);
    enum blob_outcome outcome;
    BUFFER(text, 100);
    assert_ok(blob_fixture_put(&frontend, &id, bytes_text("kept"), &outcome));
    blob_fixture_stop_server(&node);
    assert_false(status_ok(blob_fixture_put(&frontend, &id, bytes_text("kept"), &outcome)));
    wait_until_up(false);
    blob_fixture_start_server(&node);
    wait_until_up(true);
    assert_ok(blob_fixture_get(&frontend, &id, 0, 0, &text));
    assert_true(bytes_equal(buffer_bytes(&text), bytes_text("kept")));
}

static void a_client_is_freed_while_calls_are_on_their_way(void **state)
{
    (void)state;
    reset();
    for (uint32_t i = 0; i < 100; i++) {
        put_counted(BLOB_FIXTURE_NUMBER, i, bytes_text("in flight"), 1, soon());
    }
    blob_client_free(TAKE(frontend.client));
    assert_int_equal(atomic_load(&done_ok) + atomic_load(&done_other), 100);
}

/* ---------------------------------------------------------------- the directory and keysets */

static void a_gone_account_is_not_called(void **state)
{
    (void)state;
    struct blob_account_row row = {
        .account = blob_fixture_account,
        .number = BLOB_FIXTURE_NUMBER,
        .address = node.target,
        .tls_name = "b1.blobnode.test",
        .is_gone = true,
    };
    struct id16 id = id_of(1);
    enum blob_outcome outcome;
    assert_ok(blob_client_set_accounts(frontend.client, &row, 1));
    assert_status(blob_fixture_put(&frontend, &id, bytes_text("x"), &outcome), STATUS_NOT_FOUND);
    row.is_gone = false;
    assert_ok(blob_client_set_accounts(frontend.client, &row, 1));
    assert_ok(blob_fixture_put(&frontend, &id, bytes_text("x"), &outcome));
    row.account.bytes[0] ^= 1;
    assert_status(blob_client_set_accounts(frontend.client, &row, 1), STATUS_INVALID);
}

static void replies_tell_the_keyset_version_and_free_bytes(void **state)
{
    (void)state;
    struct id16 id = id_of(1);
    enum blob_outcome outcome;
    assert_int_equal(blob_client_keyset_version(frontend.client, BLOB_FIXTURE_NUMBER), 0);
    assert_true(blob_client_free_bytes(frontend.client, BLOB_FIXTURE_NUMBER) == UINT64_MAX);
    assert_ok(blob_fixture_put(&frontend, &id, bytes_text("x"), &outcome));
    assert_int_equal(blob_client_keyset_version(frontend.client, BLOB_FIXTURE_NUMBER), 7);
    assert_int_equal(frontend.seen_version, 7);
    assert_true(blob_client_free_bytes(frontend.client, BLOB_FIXTURE_NUMBER) < UINT64_MAX);
    BUFFER(keyset, KEYSET_SIZE_MAX);
    uint64_t version = 0;
    blob_authority_keyset(&node.authority, &blob_fixture_account, 8, node.now_s, &keyset);
    assert_ok(blob_client_push_keyset(
        frontend.client, BLOB_FIXTURE_NUMBER, buffer_bytes(&keyset), soon(), &version));
    assert_int_equal(version, 8);
    assert_int_equal(frontend.seen_version, 8);
    assert_ok(blob_fixture_put(&frontend, &id, bytes_text("x"), &outcome));
}

static void the_steward_enumerates_and_stats(void **state)
{
    (void)state;
    struct blob_entry page[4];
    size_t count = 0;
    bool is_complete = false;
    for (uint32_t i = 0; i < 6; i++) {
        struct id16 id = id_of(i);
        enum blob_outcome outcome;
        assert_ok(blob_fixture_put(&frontend, &id, bytes_text("12345"), &outcome));
    }
    assert_ok(blob_client_enumerate(
        steward.client, BLOB_FIXTURE_NUMBER, NULL, 4, soon(), page, &count, &is_complete));
    assert_int_equal(count, 4);
    assert_false(is_complete);
    struct id16 last = page[3].id;
    assert_ok(blob_client_enumerate(
        steward.client, BLOB_FIXTURE_NUMBER, &last, 4, soon(), page, &count, &is_complete));
    assert_int_equal(count, 2);
    assert_true(is_complete);
    assert_int_equal(page[1].size, 5);
    struct blob_stat stat;
    assert_ok(blob_client_stat(steward.client, BLOB_FIXTURE_NUMBER, soon(), &stat));
    assert_int_equal(stat.blobs, 6);
    assert_int_equal(stat.bytes, 30);
    assert_int_equal(stat.durable_lsn, 6);
    assert_int_equal(stat.keyset_version, 7);
    struct rpc_reply *reply = NULL;
    assert_ok(blob_client_node_status(steward.client, BLOB_FIXTURE_NUMBER, soon(), &reply));
    rpc_reply_free(reply);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_blob_of_any_size_comes_back_whole_and_in_parts),
        TEST(outcomes_come_as_statuses),
        TEST(small_puts_at_once_share_calls_and_syncs),
        TEST(small_gets_at_once_get_each_their_own_bytes),
        TEST(bulk_puts_queue_and_all_arrive),
        TEST(puts_that_cannot_be_sent_still_end_and_release),
        TEST(a_node_that_is_gone_is_down_until_it_answers_again),
        TEST(a_client_is_freed_while_calls_are_on_their_way),
        TEST(a_gone_account_is_not_called),
        TEST(replies_tell_the_keyset_version_and_free_bytes),
        TEST(the_steward_enumerates_and_stats),
    };
    return cmocka_run_group_tests_name("blob_client", tests, NULL, NULL);
}
