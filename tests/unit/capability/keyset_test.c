/* A keyset opens only as the online key signed it, which the pinned root delegated, for its
 * account. */

#include "lib/crypto/digest.h"
#include "tests/unit/capability/capability_fixture.h"

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

static void check_digest(struct bytes bytes, const char *want)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    assert_ok(digest_sha256(&bytes, 1, digest));
    vector_check(BYTES_ARRAY(digest), want);
}

static void known_answers_of_formats_7(void **state)
{
    struct fixture *f = *state;
    fixture_sign(f);
    vector_check(
        bytes_from(buffer_bytes(&f->delegation), f->delegation.size - 64),
        "164832bd2428e8a0589b79cc562205d8322d9d6e2cb820e90669a8a99c710aee"
        "613b1a66d679ac09569d044165f890bc173759a60d5d8205c2f7395279c35607");
    check_digest(
        buffer_bytes(&f->delegation),
        "a79109bef6a62ddd9a91b320d3668e619352b4a8c5a5790619fdc174d9d7d5a3");
    vector_check(
        bytes_from(buffer_bytes(&f->encoded), f->encoded.size - 64),
        "28593efca982c50ed70824e933d91d8d7245ac9d4dd9c31b4037899b5db36fdf"
        "c1880504be93b52c8ba413719a2e18f71bdd1a2ebbcb0b7e98af9fa06c57740b");
    check_digest(
        buffer_bytes(&f->encoded),
        "7aee1fd51ecb42be1bf673a12c9abcd7500bd24987f1f44ad5769f075ee52f1c");
}

static void what_was_signed_is_read(void **state)
{
    struct fixture *f = *state;
    OWNED(keyset) struct keyset *keyset = fixture_keyset(f);
    const struct keyset_content *content = keyset_content(keyset);
    assert_true(id16_equal(&content->account, &f->account));
    assert_int_equal(content->version, FIXTURE_VERSION);
    assert_int_equal(content->issued, BEGIN + 100);
    assert_int_equal(content->valid_until, BEGIN + 1000);
    assert_int_equal(content->min_epoch[4], 5);
    assert_int_equal(content->keys_count, 1);
    assert_int_equal(content->keys[0].perm, TOKEN_READ);
    assert_true(bytes_equal(content->keys[0].spki, f->key.spki));
    assert_true(bytes_equal(keyset_encoded(keyset), buffer_bytes(&f->encoded)));
    assert_true(keyset_is_denied(keyset, &f->denied));
    assert_false(keyset_is_denied(keyset, &f->account));
}

static void any_changed_byte_and_other_lengths_are_refused(void **state)
{
    struct fixture *f = *state;
    struct keyset *keyset = NULL;
    fixture_sign(f);
    for (size_t i = 0; i < f->encoded.size; i++) {
        f->encoded.data[i] ^= (uint8_t)(1U << i % 8);
        struct status status = fixture_open(f, &keyset);
        assert_true(status.code == STATUS_DENIED || status.code == STATUS_INVALID);
        f->encoded.data[i] ^= (uint8_t)(1U << i % 8);
    }
    size_t size = f->encoded.size;
    for (f->encoded.size = 0; f->encoded.size < size; f->encoded.size++) {
        assert_status(fixture_open(f, &keyset), STATUS_INVALID);
    }
    f->encoded.size = size;
    buffer_add_u8(&f->encoded, 0);
    assert_status(fixture_open(f, &keyset), STATUS_INVALID);
    assert_null(keyset);
}

static void another_root_or_account_is_refused(void **state)
{
    struct fixture *f = *state;
    struct keyset *keyset = NULL;
    struct id16 other = f->account;
    other.bytes[0] ^= 1;
    fixture_sign(f);
    assert_status(
        keyset_open(
            buffer_bytes(&f->encoded), SIGNATURE_ED25519, buffer_bytes(&f->online_spki),
            &f->account, KEYSET_NOW, &keyset),
        STATUS_DENIED);
    assert_status(
        keyset_open(
            buffer_bytes(&f->encoded), SIGNATURE_ED25519, buffer_bytes(&f->root_spki), &other,
            KEYSET_NOW, &keyset),
        STATUS_DENIED);
}

/* The online key may not sign for itself what only the root may. */
static void delegation_by_the_online_key_is_refused(void **state)
{
    struct fixture *f = *state;
    struct keyset *keyset = NULL;
    buffer_reset(&f->delegation);
    assert_ok(delegation_sign(
        SIGNATURE_ED25519, f->online, SIGNATURE_ED25519, buffer_bytes(&f->online_spki), BEGIN,
        BEGIN + 31536000, &f->delegation));
    fixture_sign(f);
    assert_status(fixture_open(f, &keyset), STATUS_DENIED);
}

static void keyset_by_a_key_that_was_not_delegated_is_refused(void **state)
{
    struct fixture *f = *state;
    struct keyset *keyset = NULL;
    assert_ok(keyset_sign(
        &f->content, buffer_bytes(&f->delegation), SIGNATURE_ED25519, f->signing, &f->encoded));
    assert_status(fixture_open(f, &keyset), STATUS_DENIED);
}

static struct status open_at(const struct fixture *f, uint64_t now_s)
{
    OWNED(keyset) struct keyset *keyset = NULL;
    return keyset_open(
        buffer_bytes(&f->encoded), SIGNATURE_ED25519, buffer_bytes(&f->root_spki), &f->account,
        now_s, &keyset);
}

static void delegation_holds_from_nbf_to_naf(void **state)
{
    struct fixture *f = *state;
    fixture_sign(f);
    assert_ok(open_at(f, BEGIN));
    assert_ok(open_at(f, BEGIN - 60));
    assert_status(open_at(f, BEGIN - 61), STATUS_DENIED);
    assert_ok(open_at(f, BEGIN + 31536000 + 59));
    assert_status(open_at(f, BEGIN + 31536000 + 60), STATUS_DENIED);
    buffer_reset(&f->delegation);
    assert_status(
        delegation_sign(
            SIGNATURE_ED25519, f->root, SIGNATURE_ED25519, buffer_bytes(&f->online_spki), BEGIN,
            BEGIN + DELEGATION_LIFE_MAX_S + 1, &f->delegation),
        STATUS_INVALID);
}

static struct status sign_content(struct fixture *f, const struct keyset_content *content)
{
    buffer_reset(&f->encoded);
    return keyset_sign(
        content, buffer_bytes(&f->delegation), SIGNATURE_ED25519, f->online, &f->encoded);
}

static void contents_against_the_rules_are_not_signed(void **state)
{
    struct fixture *f = *state;
    struct keyset_key keys[2] = {f->key, f->key};
    struct keyset_content content = f->content;
    content.keys = keys;
    assert_ok(sign_content(f, &content));
    content.keys_count = 2; /* The same kid twice. */
    keys[1].perm = TOKEN_WRITE;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    content.keys_count = 1;
    keys[0].perm = TOKEN_READ | TOKEN_WRITE;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    keys[0].perm = 0x20;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    keys[0] = f->key;
    keys[0].alg = 3;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    keys[0] = f->key;
    keys[0].kid[0] ^= 1;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    keys[0] = f->key;
    keys[0].naf = keys[0].nbf;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    keys[0] = f->key;
    content.valid_until = content.issued + KEYSET_VALID_S + 1;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    content.valid_until = content.issued;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    content = f->content;
    content.denied_count = KEYSET_DENIED_MAX + 1;
    assert_status(sign_content(f, &content), STATUS_INVALID);
    content = f->content;
    content.keys_count = KEYSET_KEYS_MAX + 1;
    assert_status(sign_content(f, &content), STATUS_INVALID);
}

static void largest_keyset_opens_and_finds_all_denied(void **state)
{
    struct fixture *f = *state;
    static struct id16 denied[KEYSET_DENIED_MAX];
    static struct keyset_key keys[KEYSET_KEYS_MAX];
    static uint8_t spkis[KEYSET_KEYS_MAX][SIGNATURE_SPKI_MAX];
    struct keyset *opened = NULL;
    for (size_t i = 0; i < KEYSET_DENIED_MAX; i++) {
        denied[i].bytes[0] = (uint8_t)(i * 7);
        denied[i].bytes[15] = (uint8_t)(i >> 8);
        denied[i].bytes[7] = (uint8_t)i;
    }
    for (size_t i = 0; i < KEYSET_KEYS_MAX; i++) {
        keys[i] = f->key;
        spkis[i][0] = (uint8_t)i;
        keys[i].spki = bytes_of(spkis[i], SIGNATURE_SPKI_MAX);
        assert_ok(signature_kid(keys[i].spki, keys[i].kid));
    }
    f->content.keys = keys;
    f->content.keys_count = KEYSET_KEYS_MAX;
    f->content.denied = denied;
    f->content.denied_count = KEYSET_DENIED_MAX;
    fixture_sign(f);
    assert_ok(fixture_open(f, &opened));
    OWNED(keyset) struct keyset *keyset = opened;
    for (size_t i = 0; i < KEYSET_DENIED_MAX; i++) {
        assert_true(keyset_is_denied(keyset, &denied[i]));
    }
    assert_false(keyset_is_denied(keyset, &f->account));
}

static void an_empty_keyset_opens(void **state)
{
    struct fixture *f = *state;
    struct keyset *opened = NULL;
    f->content.keys_count = 0;
    f->content.denied_count = 0;
    fixture_sign(f);
    assert_ok(fixture_open(f, &opened));
    OWNED(keyset) struct keyset *keyset = opened;
    assert_false(keyset_is_denied(keyset, &f->denied));
}

static void permissions_are_numbered_by_bit(void **state)
{
    (void)state;
    assert_int_equal(token_perm_index(TOKEN_READ), 0);
    assert_int_equal(token_perm_index(TOKEN_WRITE), 1);
    assert_int_equal(token_perm_index(TOKEN_DELETE), 2);
    assert_int_equal(token_perm_index(TOKEN_ENUMERATE), 3);
    assert_int_equal(token_perm_index(TOKEN_SCRUB), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(known_answers_of_formats_7),
        TEST(what_was_signed_is_read),
        TEST(any_changed_byte_and_other_lengths_are_refused),
        TEST(another_root_or_account_is_refused),
        TEST(delegation_by_the_online_key_is_refused),
        TEST(keyset_by_a_key_that_was_not_delegated_is_refused),
        TEST(delegation_holds_from_nbf_to_naf),
        TEST(contents_against_the_rules_are_not_signed),
        TEST(largest_keyset_opens_and_finds_all_denied),
        TEST(an_empty_keyset_opens),
        TEST(permissions_are_numbered_by_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
