/* A policy allows what its statements name and nothing beside; none allows everything. */

#include "keystore/policy.h"

#include "tests/support/cmocka.h"

static bool allowed(const char *action, const char *resource, const char *canonical)
{
    struct policy policy = {.count = 1};
    ARENA(arena, 64 * 1024);
    struct sigv4_target target;
    BUFFER(text, 4096);

    policy.statements[0] = (struct policy_statement){
        .actions = policy_action_of(action), .resource = bytes_text(resource)};
    buffer_printf(
        &text,
        "%s\nhost:h\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:20260131T235959Z\n\n"
        "host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
        canonical);
    assert_ok(policy_check_resource(bytes_text(resource)));
    assert_ok(sigv4_target_parse(buffer_bytes(&text), bytes_text(""), &arena, &target));
    return policy_allows(&policy, s3_operation_of(&target), &target);
}

static void each_action_allows_its_operations(void **state)
{
    (void)state;
    assert_true(allowed("read", "b-1", "GET\n/b-1/k\n"));
    assert_true(allowed("read", "b-1", "HEAD\n/b-1/k\n"));
    assert_false(allowed("read", "b-1", "PUT\n/b-1/k\n"));
    assert_true(allowed("write", "b-1", "PUT\n/b-1/k\n"));
    assert_false(allowed("write", "b-1", "DELETE\n/b-1/k\n"));
    assert_true(allowed("delete", "b-1", "DELETE\n/b-1/k\n"));
    assert_true(allowed("list", "b-1", "GET\n/b-1\nlist-type=2"));
    assert_false(allowed("read", "b-1", "GET\n/b-1\nlist-type=2"));
    assert_true(allowed("admin", "b-1", "PUT\n/b-1\n"));
    assert_false(allowed("write", "b-1", "PUT\n/b-1\n"));
    assert_true(allowed("all", "b-1", "DELETE\n/b-1\n"));
    assert_true(allowed("write", "b-1", "PUT\n/b-1/k\npartNumber=1&uploadId=u"));
}

static void a_resource_covers_its_own_part(void **state)
{
    (void)state;
    assert_true(allowed("read", "*", "GET\n/other/k\n"));
    assert_false(allowed("read", "b-1", "GET\n/b-11/k\n"));
    assert_true(allowed("read", "b-1/p/*", "GET\n/b-1/p/k\n"));
    assert_false(allowed("read", "b-1/p/*", "GET\n/b-1/pk\n"));
    assert_true(allowed("read", "b-1/k", "GET\n/b-1/k\n"));
    assert_false(allowed("read", "b-1/k", "GET\n/b-1/kk\n"));
    assert_true(allowed("list", "b-1/p/*", "GET\n/b-1\nlist-type=2&prefix=p%2Fq"));
    assert_false(allowed("list", "b-1/p/*", "GET\n/b-1\nlist-type=2&prefix=p"));
    assert_false(allowed("list", "b-1/k", "GET\n/b-1\nlist-type=2&prefix=k"));
    assert_false(allowed("delete", "b-1/p/*", "POST\n/b-1\ndelete="));
    assert_true(allowed("delete", "b-1", "POST\n/b-1\ndelete="));
    assert_true(allowed("read", "b-1/p/*", "HEAD\n/b-1\n"));
    assert_false(allowed("list", "b-1", "GET\n/\n"));
    assert_true(allowed("list", "*", "GET\n/\n"));
}

static void what_is_no_resource_is_refused(void **state)
{
    static const char *const wrong[] = {"", "/k", "b", "B-1", "b-1/", "b_1/k", "**"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_status(policy_check_resource(bytes_text(wrong[i])), STATUS_INVALID);
    }
    assert_int_equal(policy_action_of("erase"), 0);
}

static void a_policy_reads_back_as_written(void **state)
{
    struct policy policy = {.count = 2};
    struct policy again;
    BUFFER(encoded, 4096);

    (void)state;
    policy.statements[0] =
        (struct policy_statement){POLICY_READ | POLICY_LIST, bytes_text("b-1/p/*")};
    policy.statements[1] = (struct policy_statement){POLICY_ALL, bytes_text("*")};
    policy_encode(&encoded, &policy);
    struct reader reader = reader_of(buffer_bytes(&encoded));
    assert_true(policy_decode(&reader, &again));
    assert_int_equal(again.count, 2);
    assert_int_equal(again.statements[0].actions, POLICY_READ | POLICY_LIST);
    assert_true(bytes_equal(again.statements[1].resource, bytes_text("*")));
    for (size_t size = 0; size < encoded.size; size++) {
        reader = reader_of(bytes_of(encoded.data, size));
        assert_false(policy_decode(&reader, &again));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_allows_its_operations),
        cmocka_unit_test(a_resource_covers_its_own_part),
        cmocka_unit_test(what_is_no_resource_is_refused),
        cmocka_unit_test(a_policy_reads_back_as_written),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
