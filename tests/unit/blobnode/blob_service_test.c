/* Over real mutual TLS: only the right token of the right caller opens a method; no request makes
 * the node do more than it may. */

#include "blobnode/blob_service.h"

#include "lib/base/clock.h"
#include "tests/unit/blobnode/blob_fixture.h"

#include <stdlib.h>

static struct blob_fixture node;
static struct blob_caller frontend;
static struct blob_caller steward;
static struct blob_caller operator_;

static const struct id16 OTHER = {{0xac, 2}};
static const struct bytes NO_TOKEN;
static const struct rpc_payload NO_PAYLOAD;

static int setup(void **state)
{
    (void)state;
    blob_fixture_start(&node);
    blob_fixture_call_as(&node, "frontend", "f1", &frontend);
    blob_fixture_call_as(&node, "steward", "s1", &steward);
    blob_fixture_call_as(&node, "operator", "o1", &operator_);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    blob_fixture_hang_up(&frontend);
    blob_fixture_hang_up(&steward);
    blob_fixture_hang_up(&operator_);
    blob_fixture_stop(&node);
    return 0;
}

static ProtobufCBinaryData binary(const struct id16 *id)
{
    return (ProtobufCBinaryData){.len = ID16_SIZE, .data = (uint8_t *)(uintptr_t)id->bytes};
}

/* A Get of a blob that is not there: OK when the caller may. */
static struct status get_with(struct blob_caller *caller, struct bytes token)
{
    struct id16 id = {{0x77}};
    Triad__Blob__GetItem item = TRIAD__BLOB__GET_ITEM__INIT;
    Triad__Blob__GetItem *items[] = {&item};
    Triad__Blob__GetRequest request = TRIAD__BLOB__GET_REQUEST__INIT;
    item.id = binary(&id);
    request.account = binary(&blob_fixture_account);
    request.items = items;
    request.n_items = 1;
    return blob_fixture_call(caller, "Get", &request.base, token, NO_PAYLOAD, NULL);
}

static void the_right_token_admits_and_no_other(void **state)
{
    (void)state;
    uint8_t token[TOKEN_SIZE] = {0};
    struct bytes view = BYTES_ARRAY(token);
    blob_fixture_token(&frontend, &blob_fixture_account, TOKEN_READ, token);
    assert_ok(get_with(&frontend, view));
    assert_ok(get_with(&frontend, view));                   /* From the cache. */
    assert_status(get_with(&steward, view), STATUS_DENIED); /* Bound to f1's certificate. */
    assert_status(get_with(&frontend, NO_TOKEN), STATUS_INVALID);
    assert_status(get_with(&frontend, bytes_from(view, 1)), STATUS_INVALID);
    token[200] ^= 1;
    assert_status(get_with(&frontend, view), STATUS_DENIED);
    blob_fixture_token(&frontend, &blob_fixture_account, TOKEN_WRITE, token);
    assert_status(get_with(&frontend, view), STATUS_DENIED);
    blob_fixture_token(&frontend, &OTHER, TOKEN_READ, token);
    assert_status(get_with(&frontend, view), STATUS_DENIED);
    frontend.token_life_s = -1;
    blob_fixture_token(&frontend, &blob_fixture_account, TOKEN_READ, token);
    frontend.token_life_s = 1000;
    assert_status(get_with(&frontend, view), STATUS_DENIED);
}

static void roles_open_their_methods_only(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        enum token_perm perm;
    } DELETES[] = {
        {"Delete", TOKEN_DELETE}, {"Enumerate", TOKEN_ENUMERATE}, {"Stat", TOKEN_ENUMERATE}};
    Triad__Blob__DeleteRequest delete_ = TRIAD__BLOB__DELETE_REQUEST__INIT;
    Triad__Blob__EnumerateRequest enumerate = TRIAD__BLOB__ENUMERATE_REQUEST__INIT;
    Triad__Blob__StatRequest stat = TRIAD__BLOB__STAT_REQUEST__INIT;
    delete_.account = binary(&blob_fixture_account);
    enumerate.account = binary(&blob_fixture_account);
    enumerate.limit = 10;
    stat.account = binary(&blob_fixture_account);
    const ProtobufCMessage *messages[] = {&delete_.base, &enumerate.base, &stat.base};
    for (size_t i = 0; i < 3; i++) {
        uint8_t token[TOKEN_SIZE] = {0};
        struct bytes view = BYTES_ARRAY(token);
        /* Even with a token that somehow reached it, a frontend is refused. */
        blob_fixture_token(&frontend, &blob_fixture_account, DELETES[i].perm, token);
        assert_status(
            blob_fixture_call(&frontend, DELETES[i].method, messages[i], view, NO_PAYLOAD, NULL),
            STATUS_DENIED);
        blob_fixture_token(&operator_, &blob_fixture_account, DELETES[i].perm, token);
        assert_status(
            blob_fixture_call(&operator_, DELETES[i].method, messages[i], view, NO_PAYLOAD, NULL),
            STATUS_DENIED);
        blob_fixture_token(&steward, &blob_fixture_account, DELETES[i].perm, token);
        assert_ok(
            blob_fixture_call(&steward, DELETES[i].method, messages[i], view, NO_PAYLOAD, NULL));
    }
    Triad__Blob__NodeStatusRequest status = TRIAD__BLOB__NODE_STATUS_REQUEST__INIT;
    assert_status(
        blob_fixture_call(&frontend, "NodeStatus", &status.base, NO_TOKEN, NO_PAYLOAD, NULL),
        STATUS_DENIED);
    assert_ok(blob_fixture_call(&steward, "NodeStatus", &status.base, NO_TOKEN, NO_PAYLOAD, NULL));
}

static struct status format_as(
    struct blob_caller *caller, const struct id16 *account, uint64_t version, struct id16 *ret_uuid)
{
    BUFFER(keyset, KEYSET_SIZE_MAX);
    blob_authority_keyset(&node.authority, account, version, node.now_s, &keyset);
    Triad__Blob__FormatAccountRequest request = TRIAD__BLOB__FORMAT_ACCOUNT_REQUEST__INIT;
    request.account = binary(account);
    request.keyset = (ProtobufCBinaryData){.len = keyset.size, .data = keyset.data};
    struct rpc_reply *reply = NULL;
    TRY(blob_fixture_call(caller, "FormatAccount", &request.base, NO_TOKEN, NO_PAYLOAD, &reply));
    const Triad__Blob__FormatAccountReply *answer =
        (const Triad__Blob__FormatAccountReply *)reply->message;
    assert_string_equal(answer->node_id, "b1");
    assert_int_equal(answer->store_uuid.len, ID16_SIZE);
    memcpy(ret_uuid->bytes, answer->store_uuid.data, ID16_SIZE);
    rpc_reply_free(reply);
    return OK;
}

static void formatting_is_the_operators_and_idempotent(void **state)
{
    (void)state;
    struct id16 first = {{0}};
    struct id16 again = {{0}};
    assert_status(format_as(&frontend, &OTHER, 3, &first), STATUS_DENIED);
    assert_status(format_as(&steward, &OTHER, 3, &first), STATUS_DENIED);
    assert_ok(format_as(&operator_, &OTHER, 3, &first));
    assert_ok(format_as(&operator_, &OTHER, 4, &again));
    assert_true(id16_equal(&first, &again));
    Triad__Blob__NodeStatusRequest request = TRIAD__BLOB__NODE_STATUS_REQUEST__INIT;
    struct rpc_reply *reply = NULL;
    assert_ok(
        blob_fixture_call(&operator_, "NodeStatus", &request.base, NO_TOKEN, NO_PAYLOAD, &reply));
    const Triad__Blob__NodeStatusReply *answer =
        (const Triad__Blob__NodeStatusReply *)reply->message;
    assert_int_equal(answer->n_accounts, 2);
    uint64_t versions = answer->accounts[0]->keyset_version + answer->accounts[1]->keyset_version;
    assert_int_equal(versions, 7 + 4);
    rpc_reply_free(reply);
    blob_fixture_stop_server(&node); /* And it is there after a restart. */
    blob_fixture_start_server(&node);
    assert_ok(format_as(&operator_, &OTHER, 4, &again));
    assert_true(id16_equal(&first, &again));
}

static struct status put_sizes(const size_t id_size, uint32_t declared, size_t sent)
{
    uint8_t token[TOKEN_SIZE] = {0};
    uint8_t bytes[64] = {0};
    Triad__Blob__PutItem item = TRIAD__BLOB__PUT_ITEM__INIT;
    Triad__Blob__PutItem *items[] = {&item};
    Triad__Blob__PutRequest request = TRIAD__BLOB__PUT_REQUEST__INIT;
    struct rpc_slice slice = {.bytes = bytes_of(bytes, sent)};
    item.id = (ProtobufCBinaryData){.len = id_size, .data = bytes};
    item.size = declared;
    request.account = binary(&blob_fixture_account);
    request.items = items;
    request.n_items = 1;
    blob_fixture_token(&frontend, &blob_fixture_account, TOKEN_WRITE, token);
    struct rpc_payload payload = {.slices = &slice, .count = 1};
    return blob_fixture_call(&frontend, "Put", &request.base, BYTES_ARRAY(token), payload, NULL);
}

static void sizes_that_do_not_fit_are_refused_and_nothing_is_stored(void **state)
{
    (void)state;
    assert_status(put_sizes(16, 10, 11), STATUS_INVALID);
    assert_status(put_sizes(16, 11, 10), STATUS_INVALID);
    assert_status(put_sizes(16, UINT32_MAX, 10), STATUS_TOO_LARGE);
    assert_status(put_sizes(15, 10, 10), STATUS_INVALID);
    assert_status(put_sizes(0, 10, 10), STATUS_INVALID);
    struct blob_store_stat stat;
    blob_store_stat(node.store, &stat);
    assert_int_equal(stat.blobs, 0);
    assert_ok(put_sizes(16, 10, 10));
    blob_store_stat(node.store, &stat);
    assert_int_equal(stat.blobs, 1);
}

static void too_many_items_and_wrong_pages_are_refused(void **state)
{
    (void)state;
    uint8_t token[TOKEN_SIZE] = {0};
    struct bytes view = BYTES_ARRAY(token);
    struct id16 id = {{1}};
    Triad__Blob__GetItem item = TRIAD__BLOB__GET_ITEM__INIT;
    Triad__Blob__GetItem *items[BLOB_ITEMS_MAX + 1];
    Triad__Blob__GetRequest get = TRIAD__BLOB__GET_REQUEST__INIT;
    item.id = binary(&id);
    for (size_t i = 0; i <= BLOB_ITEMS_MAX; i++) {
        items[i] = &item;
    }
    get.account = binary(&blob_fixture_account);
    get.items = items;
    get.n_items = BLOB_ITEMS_MAX + 1;
    blob_fixture_token(&frontend, &blob_fixture_account, TOKEN_READ, token);
    assert_status(
        blob_fixture_call(&frontend, "Get", &get.base, view, NO_PAYLOAD, NULL), STATUS_TOO_LARGE);
    Triad__Blob__EnumerateRequest page = TRIAD__BLOB__ENUMERATE_REQUEST__INIT;
    page.account = binary(&blob_fixture_account);
    page.limit = BLOB_ENUMERATE_MAX + 1;
    blob_fixture_token(&steward, &blob_fixture_account, TOKEN_ENUMERATE, token);
    assert_status(
        blob_fixture_call(&steward, "Enumerate", &page.base, view, NO_PAYLOAD, NULL),
        STATUS_INVALID);
}

static void a_stale_keyset_refuses_all_but_a_push_and_status(void **state)
{
    (void)state;
    uint8_t token[TOKEN_SIZE] = {0};
    struct bytes view = BYTES_ARRAY(token);
    Triad__Blob__PushKeysetRequest push = TRIAD__BLOB__PUSH_KEYSET_REQUEST__INIT;
    BUFFER(stale, KEYSET_SIZE_MAX);
    BUFFER(fresh, KEYSET_SIZE_MAX);
    blob_authority_keyset(
        &node.authority, &blob_fixture_account, 8, node.now_s - KEYSET_VALID_S - 1, &stale);
    blob_authority_keyset(&node.authority, &blob_fixture_account, 9, node.now_s, &fresh);
    push.account = binary(&blob_fixture_account);
    push.keyset = (ProtobufCBinaryData){.len = stale.size, .data = stale.data};
    assert_ok(blob_fixture_call(&frontend, "PushKeyset", &push.base, NO_TOKEN, NO_PAYLOAD, NULL));
    blob_fixture_token(&frontend, &blob_fixture_account, TOKEN_READ, token);
    assert_status(get_with(&frontend, view), STATUS_UNAVAILABLE);
    Triad__Blob__NodeStatusRequest status = TRIAD__BLOB__NODE_STATUS_REQUEST__INIT;
    assert_ok(
        blob_fixture_call(&operator_, "NodeStatus", &status.base, NO_TOKEN, NO_PAYLOAD, NULL));
    push.keyset = (ProtobufCBinaryData){.len = fresh.size, .data = fresh.data};
    assert_ok(blob_fixture_call(&frontend, "PushKeyset", &push.base, NO_TOKEN, NO_PAYLOAD, NULL));
    assert_ok(get_with(&frontend, view));
}

/* Bytes that are no message, as capability and as payload: an answer, and the node lives on. */
static void junk_is_answered_and_the_node_lives(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 50; round++) {
        uint8_t junk[300];
        for (size_t i = 0; i < sizeof(junk); i++) {
            junk[i] = (uint8_t)rand_r(&seed);
        }
        struct rpc_slice slice = {.bytes = bytes_of(junk, (size_t)rand_r(&seed) % 300)};
        Triad__Blob__PutRequest request = TRIAD__BLOB__PUT_REQUEST__INIT;
        request.account =
            (ProtobufCBinaryData){.len = (size_t)rand_r(&seed) % 40, .data = junk + 100};
        struct rpc_payload payload = {.slices = &slice, .count = 1};
        assert_false(status_ok(blob_fixture_call(
            &frontend, "Put", &request.base, bytes_of(junk, (size_t)rand_r(&seed) % 300), payload,
            NULL)));
    }
    assert_ok(put_sizes(16, 10, 10));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_right_token_admits_and_no_other),
        TEST(roles_open_their_methods_only),
        TEST(formatting_is_the_operators_and_idempotent),
        TEST(sizes_that_do_not_fit_are_refused_and_nothing_is_stored),
        TEST(too_many_items_and_wrong_pages_are_refused),
        TEST(a_stale_keyset_refuses_all_but_a_push_and_status),
        TEST(junk_is_answered_and_the_node_lives),
    };
    return cmocka_run_group_tests_name("blob_service", tests, NULL, NULL);
}
