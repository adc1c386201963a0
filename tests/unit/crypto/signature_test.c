/* Signatures are those of RFC 8032 and FIPS 186, bound to their prefix, key and algorithm. */

#include "lib/crypto/signature.h"

#include "tests/support/vector.h"

#include <stdio.h>

static const char ed25519_pkcs8[] = "302e020100300506032b657004220420";
static const char ed25519_spki[] = "302a300506032b6570032100";
static const char p256_spki[] = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";

static struct bytes join(const char *a, const char *b, uint8_t *to, size_t room)
{
    char text[512];
    snprintf(text, sizeof(text), "%s%s", a, b);
    return vector_decode(text, to, room);
}

static void check_ed25519(
    const char *seed, const char *public_key, const char *message_text, const char *signature_text)
{
    uint8_t room[3][128];
    struct bytes pkcs8 = join(ed25519_pkcs8, seed, room[0], sizeof(room[0]));
    struct bytes spki = join(ed25519_spki, public_key, room[1], sizeof(room[1]));
    struct bytes message = vector_decode(message_text, room[2], sizeof(room[2]));
    struct bytes none = bytes_of(NULL, 0);
    OWNED(secret) struct secret *key = vector_secret(pkcs8);
    uint8_t signature[SIGNATURE_SIZE];
    assert_ok(signature_sign(SIGNATURE_ED25519, key, none, message, signature));
    vector_check(BYTES_ARRAY(signature), signature_text);
    assert_ok(signature_verify(SIGNATURE_ED25519, spki, none, message, BYTES_ARRAY(signature)));
    /* The prefix is only put before: moving the border changes nothing. */
    assert_ok(signature_verify(SIGNATURE_ED25519, spki, message, none, BYTES_ARRAY(signature)));
}

/* RFC 8032, 7.1, tests 1 to 3. */
static void known_answers_of_rfc8032(void **state)
{
    (void)state;
    check_ed25519(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    check_ed25519(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    check_ed25519(
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
}

/* RFC 6979, A.2.5: NIST P-256 with SHA-256. */
static void known_answers_of_p256(void **state)
{
    (void)state;
    uint8_t room[128];
    struct bytes spki = join(
        p256_spki,
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
        room, sizeof(room));
    VECTOR(
        sample, "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    VECTOR(
        test, "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
              "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083");
    struct bytes none = bytes_of(NULL, 0);
    assert_ok(signature_verify(SIGNATURE_P256, spki, none, bytes_text("sample"), sample));
    assert_ok(signature_verify(SIGNATURE_P256, spki, bytes_text("te"), bytes_text("st"), test));
    assert_status(
        signature_verify(SIGNATURE_P256, spki, none, bytes_text("test"), sample), STATUS_DENIED);
}

static void check_generated(enum signature_alg alg)
{
    OWNED(secret) struct secret *key = NULL;
    BUFFER(spki, SIGNATURE_SPKI_MAX);
    uint8_t signature[SIGNATURE_SIZE];
    struct bytes prefix = bytes_text("PREFIX");
    struct bytes message = bytes_text("message");
    struct bytes whole = BYTES_ARRAY(signature);
    assert_ok(signature_generate(alg, &key, &spki));
    struct bytes public_key = buffer_bytes(&spki);
    assert_ok(signature_sign(alg, key, prefix, message, signature));
    assert_ok(signature_verify(alg, public_key, prefix, message, whole));
    assert_status(
        signature_verify(alg, public_key, bytes_text("PREFIY"), message, whole), STATUS_DENIED);
    assert_status(
        signature_verify(alg, public_key, prefix, message, bytes_of(signature, 63)), STATUS_DENIED);
    for (size_t i = 0; i < 8 * sizeof(signature); i++) {
        signature[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(signature_verify(alg, public_key, prefix, message, whole), STATUS_DENIED);
        signature[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    memset(signature, 0, sizeof(signature));
    assert_status(signature_verify(alg, public_key, prefix, message, whole), STATUS_DENIED);
    memset(signature, 0xff, sizeof(signature));
    assert_status(signature_verify(alg, public_key, prefix, message, whole), STATUS_DENIED);
}

static void generated_keys_sign_and_any_flipped_bit_is_refused(void **state)
{
    (void)state;
    check_generated(SIGNATURE_ED25519);
    check_generated(SIGNATURE_P256);
}

static void a_key_of_another_algorithm_is_refused(void **state)
{
    (void)state;
    OWNED(secret) struct secret *edwards = NULL;
    OWNED(secret) struct secret *nist = NULL;
    BUFFER(edwards_spki, SIGNATURE_SPKI_MAX);
    BUFFER(nist_spki, SIGNATURE_SPKI_MAX);
    uint8_t signature[SIGNATURE_SIZE] = {0};
    struct bytes none = bytes_of(NULL, 0);
    assert_ok(signature_generate(SIGNATURE_ED25519, &edwards, &edwards_spki));
    assert_ok(signature_generate(SIGNATURE_P256, &nist, &nist_spki));
    assert_status(signature_sign(SIGNATURE_P256, edwards, none, none, signature), STATUS_INVALID);
    assert_status(signature_sign(SIGNATURE_ED25519, nist, none, none, signature), STATUS_INVALID);
    assert_status(
        signature_verify(
            SIGNATURE_P256, buffer_bytes(&edwards_spki), none, none, BYTES_ARRAY(signature)),
        STATUS_INVALID);
    assert_status(
        signature_verify(
            SIGNATURE_ED25519, buffer_bytes(&nist_spki), none, none, BYTES_ARRAY(signature)),
        STATUS_INVALID);
}

/* Cut, with a byte more, or with any byte changed in the head: no key, or not this one. */
static void a_damaged_public_key_is_refused(void **state)
{
    (void)state;
    const enum signature_alg algs[] = {SIGNATURE_ED25519, SIGNATURE_P256};
    for (size_t a = 0; a < 2; a++) {
        OWNED(secret) struct secret *key = NULL;
        BUFFER(spki, SIGNATURE_SPKI_MAX);
        uint8_t signature[SIGNATURE_SIZE];
        struct bytes none = bytes_of(NULL, 0);
        assert_ok(signature_generate(algs[a], &key, &spki));
        assert_ok(signature_sign(algs[a], key, none, none, signature));
        for (size_t size = 0; size < spki.size; size++) {
            assert_status(
                signature_verify(
                    algs[a], bytes_of(spki.data, size), none, none, BYTES_ARRAY(signature)),
                STATUS_INVALID);
        }
        for (size_t i = 0; i < spki.size; i++) {
            spki.data[i] ^= 1;
            struct status status =
                signature_verify(algs[a], buffer_bytes(&spki), none, none, BYTES_ARRAY(signature));
            assert_true(status.code == STATUS_INVALID || status.code == STATUS_DENIED);
            spki.data[i] ^= 1;
        }
        buffer_add_u8(&spki, 0);
        assert_status(
            signature_verify(algs[a], buffer_bytes(&spki), none, none, BYTES_ARRAY(signature)),
            STATUS_INVALID);
    }
}

static void kid_is_the_beginning_of_the_keys_hash(void **state)
{
    (void)state;
    uint8_t kid[SIGNATURE_KID_SIZE];
    assert_ok(signature_kid(bytes_text("abc"), kid));
    vector_check(BYTES_ARRAY(kid), "ba7816bf8f01cfea");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_of_rfc8032),
        cmocka_unit_test(known_answers_of_p256),
        cmocka_unit_test(generated_keys_sign_and_any_flipped_bit_is_refused),
        cmocka_unit_test(a_key_of_another_algorithm_is_refused),
        cmocka_unit_test(a_damaged_public_key_is_refused),
        cmocka_unit_test(kid_is_the_beginning_of_the_keys_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
