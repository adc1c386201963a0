/* A chunk is FORMATS 3 to the byte, and opens only whole, under its own key and context. */

#include "lib/crypto/chunk_cipher.h"

#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "tests/support/vector.h"

static struct chunk_context make_context(struct chunk_shape shape)
{
    struct chunk_context context = {.shape = shape};
    VECTOR(id, "0000050000060000000700000009");
    memset(context.tenant, 0x11, 16);
    memset(context.bucket, 0x22, 16);
    memset(context.data, 0x33, 16);
    memcpy(context.chunk_id, id.data, CHUNK_ID_SIZE);
    return context;
}

static struct chunk_shape make_shape(uint32_t plain, uint32_t padded, uint32_t block)
{
    return (struct chunk_shape){.plain_len = plain, .padded_len = padded, .block_len = block};
}

/* Byte i of the plaintext, put where the sealed chunk has it. */
static void fill_plain(const struct chunk_shape *shape, uint8_t *sealed)
{
    for (uint32_t i = 0; i < shape->plain_len; i++) {
        sealed[chunk_shape_offset(shape, i / shape->block_len) + i % shape->block_len] =
            (uint8_t)(i % 251);
    }
}

static void check_plain(const struct chunk_shape *shape, const uint8_t *opened)
{
    for (uint32_t i = 0; i < shape->plain_len; i++) {
        uint8_t got =
            opened[chunk_shape_offset(shape, i / shape->block_len) + i % shape->block_len];
        if (got != i % 251) {
            fail_msg("byte %u is %u", i, got);
        }
    }
}

static void known_answer_of_hello(void **state)
{
    (void)state;
    struct chunk_context context = make_context(make_shape(5, 5, 4096));
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    uint8_t sealed[21] = "hello";
    assert_ok(chunk_cipher_new(dek, &context, &cipher));
    assert_int_equal(chunk_shape_sealed_size(&context.shape), sizeof(sealed));
    assert_ok(chunk_cipher_seal(cipher, sealed));
    vector_check(
        bytes_of(chunk_cipher_commit(cipher), CHUNK_COMMIT_SIZE),
        "d462552213e4c125a17f6221ddad2c62ea0875d742c1ad0d99f9fa6fe0629b95");
    vector_check(BYTES_ARRAY(sealed), "8acaca8de91a6caa7f10edbe14f62a02a17da51060");
    assert_ok(chunk_cipher_open_block(cipher, 0, sealed));
    assert_memory_equal(sealed, "hello", 5);
}

static void known_answer_of_10000_bytes(void **state)
{
    (void)state;
    struct chunk_context context = make_context(make_shape(10000, 10000, 4096));
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    static uint8_t sealed[10048];
    uint8_t digest[DIGEST_SHA256_SIZE];
    assert_ok(chunk_cipher_new(dek, &context, &cipher));
    assert_int_equal(chunk_shape_sealed_size(&context.shape), sizeof(sealed));
    fill_plain(&context.shape, sealed);
    assert_ok(chunk_cipher_seal(cipher, sealed));
    vector_check(
        bytes_of(chunk_cipher_commit(cipher), CHUNK_COMMIT_SIZE),
        "b77fe9a5923f4dc739f6f41195ae1ad6b7b4e6a552b47fda682ff1bd9ea41b0b");
    struct bytes all = BYTES_ARRAY(sealed);
    assert_ok(digest_sha256(&all, 1, digest));
    vector_check(
        BYTES_ARRAY(digest), "8665445f89ea1863e704aa304ed78310e5262b4ecab42056cf384b80822cc7ce");
}

static void round_trip_of_shapes(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1,     4095,   4096,   4097,    65535,      65536,
                                       65537, 100000, 262144, 1048576, 4 * 1048576};
    OWNED(secret) struct secret *dek = vector_key(7, 32);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (unsigned k = 1; k <= 4; k++) {
            struct chunk_context context = make_context(chunk_shape_choose(lengths[i], k));
            struct chunk_shape *shape = &context.shape;
            shape->padded_len += i % 2 == 0 ? 0 : 5000; /* Padding in the last and new blocks. */
            assert_ok(chunk_shape_check(shape));
            OWNED(chunk_cipher) struct chunk_cipher *writer = NULL;
            OWNED(chunk_cipher) struct chunk_cipher *reader = NULL;
            assert_ok(chunk_cipher_new(dek, &context, &writer));
            uint8_t *sealed = malloc(chunk_shape_sealed_size(shape));
            assert_non_null(sealed);
            memset(sealed, 0xff, chunk_shape_sealed_size(shape));
            fill_plain(shape, sealed);
            assert_ok(chunk_cipher_seal(writer, sealed));
            assert_ok(
                chunk_cipher_new_checked(dek, &context, chunk_cipher_commit(writer), &reader));
            for (uint32_t b = chunk_shape_blocks(shape); b-- > 0;) {
                assert_ok(
                    chunk_cipher_open_block(reader, b, sealed + chunk_shape_offset(shape, b)));
            }
            check_plain(shape, sealed);
            free(sealed);
        }
    }
}

static void writers_choose_small_blocks_for_small_chunks(void **state)
{
    (void)state;
    assert_int_equal(chunk_shape_choose(1, 4).block_len, 4096);
    assert_int_equal(chunk_shape_choose(16384, 4).block_len, 4096);
    assert_int_equal(chunk_shape_choose(16385, 4).block_len, 8192);
    assert_int_equal(chunk_shape_choose(262144, 4).block_len, 65536);
    assert_int_equal(chunk_shape_choose(CHUNK_PLAIN_MAX, 4).block_len, 65536);
    assert_int_equal(chunk_shape_choose(CHUNK_PLAIN_MAX, 1).block_len, 65536);
}

static void any_changed_byte_of_a_block_is_refused(void **state)
{
    (void)state;
    struct chunk_context context = make_context(make_shape(4200, 4200, 4096));
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    uint8_t sealed[4200 + 32] = {0};
    assert_ok(chunk_cipher_new(dek, &context, &cipher));
    assert_ok(chunk_cipher_seal(cipher, sealed));
    size_t second = chunk_shape_offset(&context.shape, 1);
    for (size_t i = second; i < sizeof(sealed); i++) {
        uint8_t copy[sizeof(sealed) - 4112];
        memcpy(copy, sealed + second, sizeof(copy));
        copy[i - second] ^= 1;
        assert_status(chunk_cipher_open_block(cipher, 1, copy), STATUS_CORRUPT);
    }
    for (size_t i = 0; i < second; i += 7) {
        uint8_t copy[4112];
        memcpy(copy, sealed, sizeof(copy));
        copy[i] ^= 0x80;
        assert_status(chunk_cipher_open_block(cipher, 0, copy), STATUS_CORRUPT);
    }
}

/* Two full blocks: the second in the place of the first, a chunk cut after the first. */
static void swapped_and_cut_blocks_are_refused(void **state)
{
    (void)state;
    struct chunk_context context = make_context(make_shape(12288, 12288, 4096));
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    OWNED(chunk_cipher) struct chunk_cipher *shorter = NULL;
    static uint8_t sealed[12288 + 48];
    assert_ok(chunk_cipher_new(dek, &context, &cipher));
    assert_ok(chunk_cipher_seal(cipher, sealed));
    uint8_t copy[4112];
    memcpy(copy, sealed + 4112, sizeof(copy));
    assert_status(chunk_cipher_open_block(cipher, 0, copy), STATUS_CORRUPT);
    struct chunk_context cut = context;
    cut.shape = make_shape(8192, 8192, 4096);
    assert_status(
        chunk_cipher_new_checked(dek, &cut, chunk_cipher_commit(cipher), &shorter), STATUS_CORRUPT);
    assert_ok(chunk_cipher_new(dek, &cut, &shorter));
    memcpy(copy, sealed + 4112, sizeof(copy));
    assert_status(chunk_cipher_open_block(shorter, 1, copy), STATUS_CORRUPT);
}

static void commitment_binds_key_and_every_field(void **state)
{
    (void)state;
    struct chunk_context context = make_context(make_shape(5000, 5100, 4096));
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(secret) struct secret *other = vector_key(1, 32);
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    struct chunk_cipher *none = NULL;
    assert_ok(chunk_cipher_new(dek, &context, &cipher));
    const uint8_t *commit = chunk_cipher_commit(cipher);
    assert_status(chunk_cipher_new_checked(other, &context, commit, &none), STATUS_CORRUPT);
    struct chunk_context changed[11];
    for (size_t i = 0; i < 11; i++) {
        changed[i] = context;
    }
    changed[0].tenant[15] ^= 1;
    changed[1].bucket[0] ^= 1;
    changed[2].data[3] ^= 1;
    changed[3].part = 1;
    changed[4].index = 1;
    changed[5].offset = (uint64_t)1 << 40;
    changed[6].shape.plain_len = 5001;
    changed[7].shape.padded_len = 5101;
    changed[8].shape.block_len = 8192;
    changed[9].chunk_id[0] ^= 1;
    changed[10].chunk_id[13] ^= 1;
    for (size_t i = 0; i < 11; i++) {
        assert_status(chunk_cipher_new_checked(dek, &changed[i], commit, &none), STATUS_CORRUPT);
    }
    uint8_t damaged[CHUNK_COMMIT_SIZE];
    for (size_t i = 0; i < 8 * sizeof(damaged); i++) {
        memcpy(damaged, commit, sizeof(damaged));
        damaged[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(chunk_cipher_new_checked(dek, &context, damaged, &none), STATUS_CORRUPT);
    }
    assert_null(none);
}

static void shapes_out_of_bounds_are_refused(void **state)
{
    (void)state;
    const struct chunk_shape bad[] = {
        {0, 1, 4096},
        {1, 0, 4096},
        {2, 1, 4096},
        {1, 1, 0},
        {1, 1, 4095},
        {1, 1, 8191},
        {1, 1, 69632},
        {1, 1, 0xfffff000},
        {CHUNK_PLAIN_MAX + 1, CHUNK_PLAIN_MAX + 1, 4096},
        {1, CHUNK_PLAIN_MAX + 1, 65536},
        {0xffffffff, 0xffffffff, 65536},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(chunk_shape_check(&bad[i]), STATUS_INVALID);
    }
}

/* Not a promise of the API, a line in the log: how far sealing is from raw AES-256-GCM. */
static void speed_of_sealing(void **state)
{
    (void)state;
    struct chunk_context context = make_context(chunk_shape_choose(4 * 1048576, 4));
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    uint8_t *sealed = calloc(1, chunk_shape_sealed_size(&context.shape));
    assert_non_null(sealed);
    assert_ok(chunk_cipher_new(dek, &context, &cipher));
    int64_t begin = clock_monotonic_us();
    for (int i = 0; i < 50; i++) {
        assert_ok(chunk_cipher_seal(cipher, sealed));
    }
    int64_t spent = clock_monotonic_us() - begin;
    print_message("sealed 200 MiB at %lld MB/s\n", (long long)(50LL * 4194304 / (spent + 1)));
    free(sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_of_hello),
        cmocka_unit_test(known_answer_of_10000_bytes),
        cmocka_unit_test(round_trip_of_shapes),
        cmocka_unit_test(writers_choose_small_blocks_for_small_chunks),
        cmocka_unit_test(any_changed_byte_of_a_block_is_refused),
        cmocka_unit_test(swapped_and_cut_blocks_are_refused),
        cmocka_unit_test(commitment_binds_key_and_every_field),
        cmocka_unit_test(shapes_out_of_bounds_are_refused),
        cmocka_unit_test(speed_of_sealing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
