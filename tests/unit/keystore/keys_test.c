/* The parts of the Keys partition by themselves: recovery codes, handles, budgets, the rotation of
 * signing pairs, and the tables by role. */

#include "keystore/account_keys.h"
#include "keystore/authorize_budget.h"
#include "keystore/handle.h"
#include "keystore/key_hierarchy.h"
#include "keystore/recovery_code.h"
#include "keystore/token_issuer.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[64];
static struct vault *vault;

static int setup(void **state)
{
    struct secret *slot_key = NULL;
    char dir[128];

    (void)state;
    snprintf(root, sizeof(root), "%s", "/tmp/keys_test_XXXXXX");
    if (mkdtemp(root) == NULL) {
        return -1;
    }
    snprintf(dir, sizeof(dir), "%s/v", root);
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &slot_key));
    assert_ok(vault_create(dir, slot_key));
    struct vault_options options = {.dir = dir, .slot_key = slot_key};
    assert_ok(vault_open(&options, &vault));
    secret_free(slot_key);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    vault_free(vault);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void a_mistyped_digit_of_a_recovery_code_is_noticed(void **state)
{
    struct secret *text = NULL;
    struct secret *code = NULL;

    (void)state;
    assert_ok(recovery_code_new(&text));
    assert_int_equal(secret_size(text), RECOVERY_TEXT_SIZE);
    assert_ok(recovery_code_parse(secret_bytes(text), &code));
    secret_free(code);
    for (size_t i = 0; i < RECOVERY_TEXT_SIZE; i++) {
        uint8_t *digit = secret_data(text) + i;
        uint8_t right = *digit;
        *digit = (uint8_t)(right == '-' ? '0' : '0' + (right - '0' + 1) % 10);
        assert_status(recovery_code_parse(secret_bytes(text), &code), STATUS_INVALID);
        *digit = right;
    }
    secret_free(text);
}

static void a_recovery_code_opens_its_dek_and_no_other(void **state)
{
    static const char code_text[] = "000011-000022-000033-000044-000055-000066-000077-720885";
    OWNED(secret) struct secret *code = NULL;
    OWNED(secret) struct secret *key = NULL;
    OWNED(secret) struct secret *dek = NULL;
    OWNED(secret) struct secret *opened = NULL;
    struct secret *none = NULL;
    uint8_t salt[RECOVERY_SALT_SIZE] = {1, 2, 3};
    uint8_t wrapped[RECOVERY_WRAPPED_SIZE];

    (void)state;
    assert_ok(recovery_code_parse(bytes_text(code_text), &code));
    assert_memory_equal(secret_bytes(code).data, "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\xff\xff", 16);
    assert_ok(recovery_code_key(code, salt, &key));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &dek));
    assert_ok(recovery_code_wrap(key, salt, dek, wrapped));
    assert_ok(recovery_code_open(bytes_text(code_text), BYTES_ARRAY(wrapped), &opened));
    assert_true(secret_equal(secret_bytes(opened), secret_bytes(dek)));
    assert_status(
        recovery_code_open(
            bytes_text("000011-000022-000033-000044-000055-000066-000077-000000"),
            BYTES_ARRAY(wrapped), &none),
        STATUS_CORRUPT);
}

static void a_handle_holds_for_its_life_and_certificate(void **state)
{
    OWNED(secret) struct secret *key = NULL;
    struct handle handle = {
        .purpose = HANDLE_DELETES_BUCKET, .rights = 7, .start_s = 1000, .bucket = {{5}}};
    struct handle again;
    uint8_t sealed[HANDLE_SIZE];
    uint8_t cert[32] = {9};

    (void)state;
    memcpy(handle.cnf, cert, 32);
    memcpy(handle.access_key, "ABCDEFGHIJKLMNOPQRST", 20);
    assert_ok(handle_key(vault_root(vault), &key));
    assert_ok(handle_seal(key, &handle, sealed));
    assert_ok(handle_open(key, BYTES_ARRAY(sealed), cert, 1500, 600, &again));
    assert_int_equal(again.purpose, HANDLE_DELETES_BUCKET);
    assert_int_equal(again.rights, 7);
    assert_memory_equal(again.access_key, handle.access_key, 20);
    assert_status(handle_open(key, BYTES_ARRAY(sealed), cert, 1601, 600, &again), STATUS_DENIED);
    assert_status(handle_open(key, BYTES_ARRAY(sealed), cert, 900, 600, &again), STATUS_DENIED);
    cert[0] = 8;
    assert_status(handle_open(key, BYTES_ARRAY(sealed), cert, 1500, 600, &again), STATUS_DENIED);
}

static void a_budget_is_a_seconds_worth_and_fills_again(void **state)
{
    OWNED(authorize_budget) struct authorize_budget *budget = NULL;
    uint8_t one[32] = {1};
    uint8_t two[32] = {2};

    (void)state;
    assert_ok(authorize_budget_new(100, &budget));
    assert_int_equal(authorize_budget_take(budget, one, 64, 1000000), 64);
    assert_int_equal(authorize_budget_take(budget, one, 64, 1000000), 36);
    assert_int_equal(authorize_budget_take(budget, one, 64, 1000000), 0);
    assert_int_equal(authorize_budget_take(budget, two, 64, 1000000), 64);
    assert_int_equal(authorize_budget_take(budget, one, 64, 1100000), 10);
    assert_int_equal(authorize_budget_take(budget, one, 64, 5000000), 64);
}

struct census {
    unsigned pairs;
    uint64_t newest;
};

static struct status count_pair(
    void *context, enum token_perm perm, const uint8_t kid[SIGNATURE_KID_SIZE],
    const struct pair_row *pair)
{
    struct census *census = context;

    (void)perm;
    (void)kid;
    census->pairs++;
    census->newest = pair->nbf > census->newest ? pair->nbf : census->newest;
    return OK;
}

static struct census census_of(const struct id16 *account)
{
    struct census census = {0};

    assert_ok(account_keys_each_pair(vault, account, count_pair, &census));
    return census;
}

static void signing_pairs_rotate_with_an_overlap(void **state)
{
    enum { DAY = 24 * 3600 };
    struct id16 account = {{1}};
    uint64_t start = 1800000000;
    uint32_t changed = 0;
    bool is_new = false;
    struct account_pair old;
    struct account_pair pair;

    (void)state;
    assert_ok(account_keys_create(vault, &account, start, &is_new));
    assert_true(is_new);
    assert_ok(account_keys_create(vault, &account, start, &is_new));
    assert_false(is_new);
    assert_ok(account_keys_signing_pair(vault, &account, TOKEN_READ, start, &old));
    assert_ok(account_keys_rotate(vault, start + 29 * DAY, &changed));
    assert_int_equal(changed, 0);
    uint64_t later = start + 31 * DAY;
    assert_ok(account_keys_rotate(vault, later, &changed));
    assert_int_equal(changed, 1);
    assert_int_equal(census_of(&account).pairs, 10);
    assert_ok(account_keys_rotate(vault, later, &changed));
    assert_int_equal(changed, 0);
    /* The new pair is published first, used later. */
    assert_ok(account_keys_signing_pair(vault, &account, TOKEN_READ, later, &pair));
    assert_memory_equal(pair.kid, old.kid, sizeof(pair.kid));
    account_keys_pair_done(&pair);
    later += ACCOUNT_PAIR_PUBLISH_S;
    assert_ok(account_keys_signing_pair(vault, &account, TOKEN_READ, later, &pair));
    assert_memory_not_equal(pair.kid, old.kid, sizeof(pair.kid));
    account_keys_pair_done(&pair);
    account_keys_pair_done(&old);
    assert_ok(account_keys_rotate(vault, start + 62 * DAY, &changed));
    assert_int_equal(census_of(&account).pairs, 10);
}

static void each_role_has_its_access_types(void **state)
{
    (void)state;
    assert_int_equal(token_issuer_perms(RPC_ROLE_FRONTEND), TOKEN_READ | TOKEN_WRITE);
    assert_int_equal(token_issuer_perms(RPC_ROLE_STEWARD), 31);
    assert_int_equal(token_issuer_perms(RPC_ROLE_CONTENTDB), 0);
    assert_int_equal(token_issuer_perms(RPC_ROLE_OPERATOR), 0);
}

static void keys_open_only_in_their_own_place(void **state)
{
    OWNED(key_hierarchy) struct key_hierarchy *hierarchy = NULL;
    struct id16 tenant = {{1}};
    struct id16 bucket = {{2}};
    struct id16 other = {{3}};
    struct id16 data = {{4}};
    uint8_t name[32] = {5};
    BUFFER(tenant_value, KEY_ROW_VALUE_MAX);
    BUFFER(bucket_value, KEY_ROW_VALUE_MAX);
    BUFFER(other_value, KEY_ROW_VALUE_MAX);
    BUFFER(ref, 64);
    struct tenant_row tenant_row;
    struct bucket_row bucket_row;
    struct bucket_row other_row;
    OWNED(secret) struct secret *key = NULL;
    OWNED(secret) struct secret *opened = NULL;
    struct secret *none = NULL;

    (void)state;
    assert_ok(key_hierarchy_init(vault));
    assert_status(key_hierarchy_init(vault), STATUS_EXISTS);
    assert_ok(key_hierarchy_new(vault, 16, &hierarchy));
    assert_ok(key_hierarchy_make_tenant(hierarchy, &tenant, &tenant_value));
    assert_ok(key_row_decode_tenant(buffer_bytes(&tenant_value), &tenant_row));
    assert_ok(key_hierarchy_make_bucket(hierarchy, &tenant_row, &bucket, name, &bucket_value));
    assert_ok(key_row_decode_bucket(buffer_bytes(&bucket_value), &bucket_row));
    assert_ok(key_hierarchy_make_bucket(hierarchy, &tenant_row, &other, name, &other_value));
    assert_ok(key_row_decode_bucket(buffer_bytes(&other_value), &other_row));
    assert_ok(
        key_hierarchy_make_object_key(hierarchy, &tenant_row, &bucket_row, &data, &key, &ref));
    assert_ok(key_hierarchy_open_object_key(
        hierarchy, &tenant_row, &bucket_row, &data, buffer_bytes(&ref), &opened));
    assert_true(secret_equal(secret_bytes(key), secret_bytes(opened)));
    assert_status(
        key_hierarchy_open_object_key(
            hierarchy, &tenant_row, &other_row, &data, buffer_bytes(&ref), &none),
        STATUS_CORRUPT);
    assert_status(
        key_hierarchy_open_object_key(
            hierarchy, &tenant_row, &bucket_row, &other, buffer_bytes(&ref), &none),
        STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistyped_digit_of_a_recovery_code_is_noticed),
        cmocka_unit_test(a_recovery_code_opens_its_dek_and_no_other),
        cmocka_unit_test(a_handle_holds_for_its_life_and_certificate),
        cmocka_unit_test(a_budget_is_a_seconds_worth_and_fills_again),
        cmocka_unit_test(signing_pairs_rotate_with_an_overlap),
        cmocka_unit_test(each_role_has_its_access_types),
        cmocka_unit_test(keys_open_only_in_their_own_place),
    };
    return cmocka_run_group_tests_name("keys", tests, setup, teardown);
}
