/* AES-256-GCM is NIST's, a context seals and opens by turns, and damage leaves no plaintext. */

#include "lib/crypto/aead.h"

#include "tests/support/vector.h"

static void check_gcm(
    const char *key_text, const char *iv_text, const char *aad_text, const char *plain_text,
    const char *cipher_text, const char *tag_text)
{
    uint8_t room[4][128];
    struct bytes key_bytes = vector_decode(key_text, room[0], sizeof(room[0]));
    struct bytes iv = vector_decode(iv_text, room[1], sizeof(room[1]));
    struct bytes aad = vector_decode(aad_text, room[2], sizeof(room[2]));
    struct bytes data = vector_decode(plain_text, room[3], sizeof(room[3]));
    OWNED(secret) struct secret *key = vector_secret(key_bytes);
    OWNED(aead) struct aead *aead = NULL;
    uint8_t tag[AEAD_TAG_SIZE];
    assert_ok(aead_new(key, &aead));
    /* Twice: sealing after opening with the same context. */
    for (int i = 0; i < 2; i++) {
        assert_ok(aead_seal(aead, iv.data, aad, room[3], data.size, tag));
        vector_check(data, cipher_text);
        vector_check(BYTES_ARRAY(tag), tag_text);
        assert_ok(aead_open(aead, iv.data, aad, room[3], data.size, tag));
        vector_check(data, plain_text);
    }
}

static const char key_15[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
static const char iv_15[] = "cafebabefacedbaddecaf888";

/* Test cases 13 to 16 of the GCM specification that NIST adopted. */
static void known_answers_of_nist(void **state)
{
    (void)state;
    static const char zero_key[] =
        "0000000000000000000000000000000000000000000000000000000000000000";
    static const char zero_iv[] = "000000000000000000000000";
    check_gcm(zero_key, zero_iv, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b");
    check_gcm(
        zero_key, zero_iv, "", "00000000000000000000000000000000",
        "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919");
    check_gcm(
        key_15, iv_15, "",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
        "b094dac5d93471bdec1a502270e3cc6c");
    check_gcm(
        key_15, iv_15, "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b");
}

static void damage_leaves_no_plaintext(void **state)
{
    (void)state;
    uint8_t iv[AEAD_IV_SIZE] = {1};
    uint8_t aad[20] = {2};
    uint8_t sealed[100];
    uint8_t tag[AEAD_TAG_SIZE];
    static const uint8_t zeros[sizeof(sealed)];
    OWNED(secret) struct secret *key = vector_key(0, 32);
    OWNED(aead) struct aead *aead = NULL;
    assert_ok(aead_new(key, &aead));
    memset(sealed, 0x77, sizeof(sealed));
    assert_ok(aead_seal(aead, iv, BYTES_ARRAY(aad), sealed, sizeof(sealed), tag));
    struct bytes fields[] = {
        BYTES_ARRAY(iv), BYTES_ARRAY(aad), BYTES_ARRAY(sealed), BYTES_ARRAY(tag)};
    for (size_t f = 0; f < 4; f++) {
        for (size_t i = 0; i < fields[f].size; i++) {
            uint8_t copy[4][128];
            for (size_t j = 0; j < 4; j++) {
                memcpy(copy[j], fields[j].data, fields[j].size);
            }
            copy[f][i] ^= 0x10;
            assert_status(
                aead_open(
                    aead, copy[0], bytes_of(copy[1], sizeof(aad)), copy[2], sizeof(sealed),
                    copy[3]),
                STATUS_CORRUPT);
            assert_memory_equal(copy[2], zeros, sizeof(sealed));
        }
    }
    assert_ok(aead_open(aead, iv, BYTES_ARRAY(aad), sealed, sizeof(sealed), tag));
    assert_int_equal(sealed[99], 0x77);
}

/* However it is cut, also inside a block, with empty parts between. */
static void gmac_of_parts_is_that_of_the_whole(void **state)
{
    (void)state;
    uint8_t data[300];
    uint8_t iv[AEAD_IV_SIZE] = {9};
    uint8_t whole[AEAD_TAG_SIZE];
    uint8_t sealed[AEAD_TAG_SIZE];
    uint8_t parts[AEAD_TAG_SIZE];
    OWNED(secret) struct secret *key = vector_key(0, 32);
    OWNED(aead) struct aead *aead = NULL;
    assert_ok(aead_new(key, &aead));
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 31);
    }
    struct bytes all = BYTES_ARRAY(data);
    assert_ok(aead_gmac(aead, iv, &all, 1, whole));
    assert_ok(aead_seal(aead, iv, all, NULL, 0, sealed));
    assert_memory_equal(whole, sealed, sizeof(whole));
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        struct bytes cuts[] = {
            bytes_of(data, cut / 2), bytes_of(data + cut / 2, cut - cut / 2), bytes_of(NULL, 0),
            bytes_from(all, cut)};
        assert_ok(aead_gmac(aead, iv, cuts, 4, parts));
        assert_memory_equal(whole, parts, sizeof(whole));
    }
}

/* FIPS 197, appendix C.3. */
static void block_is_that_of_fips197(void **state)
{
    (void)state;
    VECTOR(in, "00112233445566778899aabbccddeeff");
    OWNED(secret) struct secret *key = vector_key(0, 32);
    uint8_t out[16];
    uint8_t back[16];
    assert_ok(aead_block_encrypt(key, in.data, out));
    vector_check(BYTES_ARRAY(out), "8ea2b7ca516745bfeafc49904b496089");
    assert_ok(aead_block_decrypt(key, out, back));
    assert_memory_equal(back, in.data, sizeof(back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_of_nist),
        cmocka_unit_test(damage_leaves_no_plaintext),
        cmocka_unit_test(gmac_of_parts_is_that_of_the_whole),
        cmocka_unit_test(block_is_that_of_fips197),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
