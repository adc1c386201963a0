/* A grant is FORMATS 6 to the byte, lives 300 s at most, and one changed bit is refused. */

#include "lib/capability/grant.h"

#include "tests/support/vector.h"

enum { EXP = 1800000000, NOW = EXP - 100 };

static struct grant make_grant(void)
{
    struct grant grant = {.rights = GRANT_READ, .exp = EXP, .key_no = 3, .epoch = 4};
    memset(grant.tenant.bytes, 0x11, ID16_SIZE);
    memset(grant.bucket.bytes, 0x22, ID16_SIZE);
    for (size_t i = 0; i < sizeof(grant.cnf); i++) {
        grant.cnf[i] = (uint8_t)i;
    }
    return grant;
}

static struct secret *make_key(uint32_t shard, uint32_t hour)
{
    OWNED(secret) struct secret *gk = vector_key(0, 32);
    struct secret *key = NULL;
    assert_ok(grant_key(gk, shard, hour, &key));
    return key;
}

static void known_answer_of_formats_6(void **state)
{
    (void)state;
    struct grant grant = make_grant();
    struct grant back;
    uint8_t encoded[GRANT_SIZE];
    OWNED(secret) struct secret *key = make_key(0, EXP / 3600);
    assert_int_equal(EXP / 3600, 500000);
    assert_ok(grant_mint(key, &grant, encoded));
    vector_check(
        bytes_of(encoded + 88, 32),
        "6fec00fe9d2b3418d3308e9a185800a143de25036b77178fa9723930c022a335");
    assert_ok(grant_verify(key, BYTES_ARRAY(encoded), NOW, grant.cnf, 4, &back));
    assert_int_equal(back.rights, GRANT_READ);
    assert_int_equal(back.exp, EXP);
    assert_int_equal(back.key_no, 3);
    assert_int_equal(back.epoch, 4);
    assert_true(id16_equal(&back.tenant, &grant.tenant));
    assert_true(id16_equal(&back.bucket, &grant.bucket));
    assert_ok(grant_decode(BYTES_ARRAY(encoded), &back));
}

static void any_flipped_bit_and_other_lengths_are_refused(void **state)
{
    (void)state;
    struct grant grant = make_grant();
    struct grant back;
    uint8_t encoded[GRANT_SIZE + 1] = {0};
    struct bytes whole = bytes_of(encoded, GRANT_SIZE);
    OWNED(secret) struct secret *key = make_key(0, EXP / 3600);
    assert_ok(grant_mint(key, &grant, encoded));
    for (size_t i = 0; i < 8 * GRANT_SIZE; i++) {
        encoded[i / 8] ^= (uint8_t)(1U << i % 8);
        struct status status = grant_verify(key, whole, NOW, grant.cnf, 0, &back);
        assert_true(status.code == STATUS_DENIED || status.code == STATUS_INVALID);
        encoded[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t size = 0; size <= sizeof(encoded); size++) {
        if (size != GRANT_SIZE) {
            assert_status(grant_decode(bytes_of(encoded, size), &back), STATUS_INVALID);
        }
    }
}

static void keys_are_of_one_shard_and_hour(void **state)
{
    (void)state;
    struct grant grant = make_grant();
    struct grant back;
    uint8_t encoded[GRANT_SIZE];
    OWNED(secret) struct secret *key = make_key(0, 500000);
    OWNED(secret) struct secret *shard = make_key(1, 500000);
    OWNED(secret) struct secret *hour = make_key(0, 500001);
    assert_ok(grant_mint(key, &grant, encoded));
    assert_status(
        grant_verify(shard, BYTES_ARRAY(encoded), NOW, grant.cnf, 0, &back), STATUS_DENIED);
    assert_status(
        grant_verify(hour, BYTES_ARRAY(encoded), NOW, grant.cnf, 0, &back), STATUS_DENIED);
}

static void time_certificate_and_epoch_are_held(void **state)
{
    (void)state;
    struct grant grant = make_grant();
    struct grant back;
    uint8_t encoded[GRANT_SIZE];
    uint8_t other[32] = {0};
    struct bytes whole = BYTES_ARRAY(encoded);
    OWNED(secret) struct secret *key = make_key(0, EXP / 3600);
    assert_ok(grant_mint(key, &grant, encoded));
    assert_ok(grant_verify(key, whole, EXP - 1, grant.cnf, 0, &back));
    assert_ok(grant_verify(key, whole, EXP - 300, grant.cnf, 0, &back));
    assert_status(grant_verify(key, whole, EXP, grant.cnf, 0, &back), STATUS_DENIED);
    assert_status(grant_verify(key, whole, EXP - 301, grant.cnf, 0, &back), STATUS_DENIED);
    assert_status(grant_verify(key, whole, 0, grant.cnf, 0, &back), STATUS_DENIED);
    assert_status(grant_verify(key, whole, NOW, other, 0, &back), STATUS_DENIED);
    assert_ok(grant_verify(key, whole, NOW, grant.cnf, 4, &back));
    assert_status(grant_verify(key, whole, NOW, grant.cnf, 5, &back), STATUS_DENIED);
}

static void rights_that_are_no_rights_are_not_minted(void **state)
{
    (void)state;
    struct grant grant = make_grant();
    uint8_t encoded[GRANT_SIZE];
    OWNED(secret) struct secret *key = make_key(0, EXP / 3600);
    grant.rights = 0;
    assert_status(grant_mint(key, &grant, encoded), STATUS_INVALID);
    grant.rights = 16;
    assert_status(grant_mint(key, &grant, encoded), STATUS_INVALID);
    grant.rights = GRANT_LIST_BUCKETS; /* Of one bucket. */
    assert_status(grant_mint(key, &grant, encoded), STATUS_INVALID);
    memset(grant.bucket.bytes, 0, ID16_SIZE);
    assert_ok(grant_mint(key, &grant, encoded));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_of_formats_6),
        cmocka_unit_test(any_flipped_bit_and_other_lengths_are_refused),
        cmocka_unit_test(keys_are_of_one_shard_and_hour),
        cmocka_unit_test(time_certificate_and_epoch_are_held),
        cmocka_unit_test(rights_that_are_no_rights_are_not_minted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
