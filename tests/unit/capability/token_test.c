/* A token is FORMATS 7 to the byte; each rule of its verification refuses alone. */

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/crypto/digest.h"
#include "tests/unit/capability/capability_fixture.h"

enum { NOW = BEGIN + 500 };

static int setup(void **state)
{
    static struct fixture fixture;
    fixture_init(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_done(*state);
    return 0;
}

static void known_answer_of_formats_7(void **state)
{
    struct fixture *f = *state;
    struct token token = fixture_token(f);
    struct token back;
    uint8_t encoded[TOKEN_SIZE];
    uint8_t digest[DIGEST_SHA256_SIZE];
    struct bytes whole = BYTES_ARRAY(encoded);
    assert_ok(token_mint(&token, f->signing, encoded));
    vector_check(BYTES_ARRAY(token.kid), "788de5096f8b530e");
    vector_check(
        bytes_from(whole, 168), "88075d54b3b695b3b855ad417ffa1148f3a0c67ac101e9e2be06600918cb82a2"
                                "5ac270b7a70c494facb0b9ed5c97a5961bfe43a3c9e485fbe040b782cb2f640d");
    assert_ok(digest_sha256(&whole, 1, digest));
    vector_check(
        BYTES_ARRAY(digest), "dd3cc66a1b9afc52e6537c7e0ba9411fadabf9b935ed6bb3daaab204eca323b7");
    assert_ok(token_decode(whole, &back));
    assert_int_equal(back.perm, TOKEN_READ);
    assert_int_equal(back.exp, BEGIN + 3600);
    assert_int_equal(back.epoch, 1);
    assert_true(id16_equal(&back.account, &f->account));
    assert_memory_equal(back.cnf, token.cnf, 32);
}

/* Decode, verify and check, as on a first call. */
static struct status admit(
    const struct fixture *f, const struct keyset *keyset, struct bytes encoded, const uint8_t *cert)
{
    struct token token;
    TRY(token_decode(encoded, &token));
    TRY(token_verify(&token, encoded, keyset, cert, TOKEN_LIFE_DEFAULT_S));
    return token_check(&token, keyset, TOKEN_READ, &f->account, NOW);
}

static void any_flipped_bit_and_other_lengths_are_refused(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token token = fixture_token(f);
    uint8_t encoded[TOKEN_SIZE + 1] = {0};
    struct bytes whole = bytes_of(encoded, TOKEN_SIZE);
    assert_ok(token_mint(&token, f->signing, encoded));
    assert_ok(admit(f, keyset, whole, token.cnf));
    for (size_t i = 0; i < 8 * TOKEN_SIZE; i++) {
        encoded[i / 8] ^= (uint8_t)(1U << i % 8);
        struct status status = admit(f, keyset, whole, token.cnf);
        assert_true(status.code == STATUS_DENIED || status.code == STATUS_INVALID);
        encoded[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t size = 0; size <= sizeof(encoded); size++) {
        if (size != TOKEN_SIZE) {
            assert_status(token_decode(bytes_of(encoded, size), &token), STATUS_INVALID);
        }
    }
}

/* Reserved fields must be zero even where the signature is right. */
static void signed_reserved_fields_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char prefix[] = "TRIAD-CAP-v1";
    static const size_t reserved[] = {64,  79,  80,  83,  120, 151, 152,
                                      153, 154, 155, 156, 163, 164, 167};
    struct token token = fixture_token(f);
    uint8_t encoded[TOKEN_SIZE];
    assert_ok(token_mint(&token, f->signing, encoded));
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        encoded[reserved[i]] = 1;
        assert_ok(signature_sign(
            SIGNATURE_ED25519, f->signing, BYTES_ARRAY(prefix), bytes_of(encoded, 168),
            encoded + 168));
        assert_status(token_decode(BYTES_ARRAY(encoded), &token), STATUS_INVALID);
        encoded[reserved[i]] = 0;
    }
    static const uint16_t flags[] = {0, 2, 3, 9};
    for (size_t i = 0; i < 4; i++) {
        encoded[7] = (uint8_t)flags[i];
        assert_status(token_decode(BYTES_ARRAY(encoded), &token), STATUS_INVALID);
    }
}

/* Mint, then verify. */
static struct status
mint_and_verify(const struct fixture *f, const struct keyset *keyset, const struct token *token)
{
    uint8_t encoded[TOKEN_SIZE];
    struct token back;
    uint8_t cert[32];
    for (size_t i = 0; i < sizeof(cert); i++) {
        cert[i] = (uint8_t)i;
    }
    TRY(token_mint(token, f->signing, encoded));
    TRY(token_decode(BYTES_ARRAY(encoded), &back));
    return token_verify(&back, BYTES_ARRAY(encoded), keyset, cert, TOKEN_LIFE_DEFAULT_S);
}

static void each_rule_of_verification_refuses_alone(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token token = fixture_token(f);
    assert_ok(mint_and_verify(f, keyset, &token));
    token.account.bytes[0] ^= 1;
    assert_status(mint_and_verify(f, keyset, &token), STATUS_DENIED);
    token = fixture_token(f);
    token.perm = TOKEN_WRITE; /* The kid is one for reading. */
    assert_status(mint_and_verify(f, keyset, &token), STATUS_DENIED);
    token = fixture_token(f);
    token.kid[7] ^= 1;
    assert_status(mint_and_verify(f, keyset, &token), STATUS_DENIED);
    token = fixture_token(f);
    token.exp += 1;
    assert_status(mint_and_verify(f, keyset, &token), STATUS_DENIED);
    token = fixture_token(f);
    token.exp = f->key.naf + 1;
    token.nbf = token.exp - 10;
    assert_status(mint_and_verify(f, keyset, &token), STATUS_DENIED);
    token.exp -= 1;
    assert_ok(mint_and_verify(f, keyset, &token));
    token = fixture_token(f);
    token.cnf[31] ^= 1;
    assert_status(mint_and_verify(f, keyset, &token), STATUS_DENIED);
    token = fixture_token(f);
    token.exp = token.nbf;
    assert_status(mint_and_verify(f, keyset, &token), STATUS_INVALID);
}

/* The option may be long, the cap of 60 days stays; and alg comes from the keyset. */
static void life_is_capped_and_alg_is_the_keysets(void **state)
{
    struct fixture *f = *state;
    f->key.naf = BEGIN + 2 * (uint64_t)TOKEN_LIFE_CAP_S;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token token = fixture_token(f);
    uint8_t encoded[TOKEN_SIZE];
    token.exp = token.nbf + TOKEN_LIFE_CAP_S;
    assert_ok(token_mint(&token, f->signing, encoded));
    assert_ok(token_verify(&token, BYTES_ARRAY(encoded), keyset, token.cnf, UINT64_MAX));
    token.exp += 1;
    assert_ok(token_mint(&token, f->signing, encoded));
    assert_status(
        token_verify(&token, BYTES_ARRAY(encoded), keyset, token.cnf, UINT64_MAX), STATUS_DENIED);
    token = fixture_token(f);
    assert_ok(token_mint(&token, f->signing, encoded));
    encoded[4] = SIGNATURE_P256;
    assert_ok(token_decode(BYTES_ARRAY(encoded), &token));
    assert_status(
        token_verify(&token, BYTES_ARRAY(encoded), keyset, token.cnf, TOKEN_LIFE_DEFAULT_S),
        STATUS_DENIED);
}

static void p256_tokens_verify(void **state)
{
    struct fixture *f = *state;
    secret_free(f->signing);
    f->signing = NULL;
    buffer_reset(&f->signing_spki);
    assert_ok(signature_generate(SIGNATURE_P256, &f->signing, &f->signing_spki));
    f->key.alg = SIGNATURE_P256;
    f->key.spki = buffer_bytes(&f->signing_spki);
    assert_ok(signature_kid(f->key.spki, f->key.kid));
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token token = fixture_token(f);
    token.alg = SIGNATURE_P256;
    assert_ok(mint_and_verify(f, keyset, &token));
}

static void each_rule_of_every_call_refuses_alone(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token token = fixture_token(f);
    struct id16 other = f->account;
    other.bytes[5] ^= 1;
    assert_ok(token_check(&token, keyset, TOKEN_READ, &f->account, NOW));
    assert_status(token_check(&token, keyset, TOKEN_WRITE, &f->account, NOW), STATUS_DENIED);
    assert_status(token_check(&token, keyset, TOKEN_READ, &other, NOW), STATUS_DENIED);
    token.account = other; /* Token and request agree, the keyset does not. */
    assert_status(token_check(&token, keyset, TOKEN_READ, &other, NOW), STATUS_DENIED);
    token = fixture_token(f);
    token.epoch = 0;
    assert_status(token_check(&token, keyset, TOKEN_READ, &f->account, NOW), STATUS_DENIED);
    token = fixture_token(f);
    token.jti = f->denied;
    assert_status(token_check(&token, keyset, TOKEN_READ, &f->account, NOW), STATUS_DENIED);
}

static void times_are_held_to_the_second(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token token = fixture_token(f);
    const struct id16 *account = &f->account;
    assert_ok(token_check(&token, keyset, TOKEN_READ, account, BEGIN - 60));
    assert_status(token_check(&token, keyset, TOKEN_READ, account, BEGIN - 61), STATUS_DENIED);
    assert_ok(token_check(&token, keyset, TOKEN_READ, account, BEGIN + 999));
    assert_status(
        token_check(&token, keyset, TOKEN_READ, account, BEGIN + 1000), STATUS_UNAVAILABLE);
    token.exp = BEGIN + 600;
    assert_ok(token_check(&token, keyset, TOKEN_READ, account, BEGIN + 659));
    assert_status(token_check(&token, keyset, TOKEN_READ, account, BEGIN + 660), STATUS_DENIED);
    token.nbf = UINT64_MAX - 1;
    token.exp = UINT64_MAX;
    assert_status(token_check(&token, keyset, TOKEN_READ, account, NOW), STATUS_DENIED);
}

static struct status admit_cached(
    struct token_cache *cache, const struct fixture *f, const struct keyset *keyset,
    const uint8_t *encoded, const uint8_t *cert, uint64_t now_s)
{
    return token_cache_admit(
        cache, bytes_of(encoded, TOKEN_SIZE), keyset, cert, TOKEN_READ, &f->account, now_s,
        TOKEN_LIFE_DEFAULT_S);
}

/* A hit saves the signature, never a rule of every call. */
static void a_hit_still_checks_what_changes(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token_cache *made = NULL;
    struct token token = fixture_token(f);
    uint8_t encoded[TOKEN_SIZE];
    uint8_t other_cert[32] = {0};
    assert_ok(token_cache_new(4, &made));
    OWNED(token_cache) struct token_cache *cache = made;
    assert_ok(token_mint(&token, f->signing, encoded));
    for (int i = 0; i < 3; i++) {
        assert_ok(admit_cached(cache, f, keyset, encoded, token.cnf, NOW));
    }
    assert_status(
        admit_cached(cache, f, keyset, encoded, token.cnf, BEGIN + 1000), STATUS_UNAVAILABLE);
    assert_status(admit_cached(cache, f, keyset, encoded, other_cert, NOW), STATUS_DENIED);
    assert_status(
        token_cache_admit(
            cache, BYTES_ARRAY(encoded), keyset, token.cnf, TOKEN_WRITE, &f->account, NOW, 3600),
        STATUS_DENIED);
    encoded[231] ^= 1;
    assert_status(admit_cached(cache, f, keyset, encoded, token.cnf, NOW), STATUS_DENIED);
    encoded[231] ^= 1;
    assert_status(
        token_cache_admit(
            cache, bytes_of(encoded, 231), keyset, token.cnf, TOKEN_READ, &f->account, NOW, 3600),
        STATUS_INVALID);
}

/* A new keyset without the key, with the token denied, with a higher epoch: at once. */
static void a_new_keyset_ends_what_the_old_admitted(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token_cache *made = NULL;
    struct token token = fixture_token(f);
    uint8_t encoded[TOKEN_SIZE];
    assert_ok(token_cache_new(4, &made));
    OWNED(token_cache) struct token_cache *cache = made;
    assert_ok(token_mint(&token, f->signing, encoded));
    assert_ok(admit_cached(cache, f, keyset, encoded, token.cnf, NOW));
    f->content.version++;
    f->content.keys_count = 0;
    OWNED(keyset) struct keyset *without_key = fixture_keyset(f);
    assert_status(admit_cached(cache, f, without_key, encoded, token.cnf, NOW), STATUS_DENIED);
    f->content.version++;
    f->content.keys_count = 1;
    f->denied = token.jti;
    OWNED(keyset) struct keyset *denying = fixture_keyset(f);
    assert_status(admit_cached(cache, f, denying, encoded, token.cnf, NOW), STATUS_DENIED);
    f->content.version++;
    f->content.denied_count = 0;
    f->content.min_epoch[0] = 2;
    OWNED(keyset) struct keyset *later = fixture_keyset(f);
    assert_status(admit_cached(cache, f, later, encoded, token.cnf, NOW), STATUS_DENIED);
    assert_ok(admit_cached(cache, f, keyset, encoded, token.cnf, NOW));
}

static void a_full_cache_still_admits(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token_cache *made = NULL;
    uint8_t encoded[20][TOKEN_SIZE];
    struct token token = fixture_token(f);
    assert_ok(token_cache_new(3, &made));
    OWNED(token_cache) struct token_cache *cache = made;
    for (size_t i = 0; i < 20; i++) {
        token.jti.bytes[0] = (uint8_t)i;
        assert_ok(token_mint(&token, f->signing, encoded[i]));
    }
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 20; i++) {
            assert_ok(admit_cached(cache, f, keyset, encoded[i], token.cnf, NOW));
            assert_ok(admit_cached(cache, f, keyset, encoded[i / 2], token.cnf, NOW));
        }
    }
}

struct load {
    struct fixture *fixture;
    struct keyset *keyset;
    struct token_cache *cache;
    uint8_t encoded[6][TOKEN_SIZE];
    uint8_t cert[32];
    int refused[4];
};

struct worker {
    struct load *load;
    int number;
};

static void admit_many(void *context)
{
    struct worker *worker = context;
    struct load *load = worker->load;
    for (unsigned i = 0; i < 300; i++) {
        struct status status = admit_cached(
            load->cache, load->fixture, load->keyset, load->encoded[i * 7 % 6], load->cert, NOW);
        load->refused[worker->number] += !status_ok(status);
    }
}

static void threads_share_a_cache(void **state)
{
    static struct load load;
    struct fixture *f = *state;
    struct token token = fixture_token(f);
    struct task tasks[4] = {0};
    struct worker workers[4];
    load = (struct load){.fixture = f, .keyset = fixture_keyset(f)};
    memcpy(load.cert, token.cnf, sizeof(load.cert));
    assert_ok(token_cache_new(4, &load.cache));
    for (size_t i = 0; i < 6; i++) {
        token.jti.bytes[0] = (uint8_t)i;
        assert_ok(token_mint(&token, f->signing, load.encoded[i]));
    }
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){&load, i};
        assert_ok(task_start(&tasks[i], "admit", admit_many, &workers[i]));
    }
    for (int i = 0; i < 4; i++) {
        task_join(&tasks[i]);
        assert_int_equal(load.refused[i], 0);
    }
    token_cache_free(load.cache);
    keyset_free(load.keyset);
}

/* Lines in the log: what a first call and what a hit cost. */
static void speed_of_admission(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    struct token_cache *made = NULL;
    struct token token = fixture_token(f);
    uint8_t encoded[TOKEN_SIZE];
    assert_ok(token_cache_new(4, &made));
    OWNED(token_cache) struct token_cache *cache = made;
    assert_ok(token_mint(&token, f->signing, encoded));
    int64_t begin = clock_monotonic_us();
    for (int i = 0; i < 200; i++) {
        assert_ok(admit(f, keyset, BYTES_ARRAY(encoded), token.cnf));
    }
    int64_t verified = clock_monotonic_us();
    for (int i = 0; i < 20000; i++) {
        assert_ok(admit_cached(cache, f, keyset, encoded, token.cnf, NOW));
    }
    int64_t hit = clock_monotonic_us();
    print_message(
        "verify %lld us, hit %lld ns\n", (long long)((verified - begin) / 200),
        (long long)((hit - verified) * 1000 / 20000));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(known_answer_of_formats_7),
        TEST(any_flipped_bit_and_other_lengths_are_refused),
        TEST(signed_reserved_fields_are_refused),
        TEST(each_rule_of_verification_refuses_alone),
        TEST(life_is_capped_and_alg_is_the_keysets),
        TEST(p256_tokens_verify),
        TEST(each_rule_of_every_call_refuses_alone),
        TEST(times_are_held_to_the_second),
        TEST(a_hit_still_checks_what_changes),
        TEST(a_new_keyset_ends_what_the_old_admitted),
        TEST(a_full_cache_still_admits),
        TEST(threads_share_a_cache),
        TEST(speed_of_admission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
