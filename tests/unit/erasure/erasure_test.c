/*
 * Fragments are FORMATS 4 to the byte, and any m of them can be lost. The parity is checked against
 * arithmetic in the field 0x11D written here, byte by byte.
 */

#include "lib/erasure/erasure.h"

#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "tests/support/vector.h"

enum { ALL = ERASURE_FRAGMENTS_MAX, GUARD = 0xc3, GUARD_SIZE = 64 };

/* One chunk cut into fragments, with guard bytes behind each. */
struct cut {
    struct erasure *erasure;
    struct chunk_shape shape;
    uint8_t *sealed;
    uint8_t *fragments[ALL];
    size_t sizes[ALL];
    unsigned count;
};

static uint8_t *guarded(size_t size)
{
    uint8_t *memory = malloc(size + GUARD_SIZE);
    assert_non_null(memory);
    memset(memory, GUARD, size + GUARD_SIZE);
    return memory;
}

static void check_guard(const uint8_t *memory, size_t size)
{
    for (size_t i = size; i < size + GUARD_SIZE; i++) {
        assert_int_equal(memory[i], GUARD);
    }
}

static void cut_init(struct cut *cut, unsigned k, unsigned m, struct chunk_shape shape)
{
    *cut = (struct cut){.shape = shape, .count = k + m};
    assert_ok(erasure_new(k, m, &cut->erasure));
    size_t size = chunk_shape_sealed_size(&shape);
    uint32_t random = 12345;
    cut->sealed = guarded(size);
    for (size_t i = 0; i < size; i++) {
        random = random * 1664525U + 1013904223U;
        cut->sealed[i] = (uint8_t)(random >> 24);
    }
    for (unsigned i = 0; i < k + m; i++) {
        cut->sizes[i] = erasure_fragment_size(cut->erasure, &shape, i);
        cut->fragments[i] = guarded(cut->sizes[i]);
    }
    for (unsigned i = 0; i < k; i++) {
        erasure_gather(cut->erasure, &shape, cut->sealed, i, cut->fragments[i]);
    }
    erasure_encode(cut->erasure, &shape, cut->sealed, cut->fragments + k);
    check_guard(cut->sealed, size);
    for (unsigned i = 0; i < k + m; i++) {
        check_guard(cut->fragments[i], cut->sizes[i]);
    }
}

static void cut_done(struct cut *cut)
{
    for (unsigned i = 0; i < cut->count; i++) {
        free(cut->fragments[i]);
    }
    free(cut->sealed);
    erasure_free(cut->erasure);
}

/* Lose the fragments in the mask, rebuild, compare. */
static void check_loss(const struct cut *cut, uint32_t lost)
{
    uint8_t *fragments[ALL];
    bool is_present[ALL];
    for (unsigned i = 0; i < cut->count; i++) {
        is_present[i] = (lost >> i & 1) == 0;
        fragments[i] = is_present[i] ? cut->fragments[i] : guarded(cut->sizes[i]);
    }
    assert_ok(erasure_rebuild(cut->erasure, &cut->shape, fragments, is_present));
    for (unsigned i = 0; i < cut->count; i++) {
        if (!is_present[i]) {
            assert_memory_equal(fragments[i], cut->fragments[i], cut->sizes[i]);
            check_guard(fragments[i], cut->sizes[i]);
            free(fragments[i]);
        }
    }
}

static void check_every_loss(unsigned k, unsigned m, struct chunk_shape shape)
{
    struct cut cut;
    cut_init(&cut, k, m, shape);
    for (uint32_t lost = 0; lost < 1U << (k + m); lost++) {
        if ((unsigned)__builtin_popcount(lost) <= m) {
            check_loss(&cut, lost);
        }
    }
    cut_done(&cut);
}

static const struct {
    unsigned k;
    unsigned m;
} codes[] = {{4, 2}, {1, 2}, {1, 0}, {2, 1}};
enum { CODES = sizeof(codes) / sizeof(codes[0]) };

static void every_loss_of_small_and_odd_chunks_is_rebuilt(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1,     16,     4095,   4096,   4097,   8192,
                                       12289, 16385,  40000,  65535,  65536,  65537,
                                       99999, 262143, 262144, 262145, 1048576};
    for (size_t c = 0; c < CODES; c++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            check_every_loss(codes[c].k, codes[c].m, chunk_shape_choose(lengths[i], codes[c].k));
        }
    }
}

static void every_loss_at_every_block_length_is_rebuilt(void **state)
{
    (void)state;
    for (size_t c = 0; c < CODES; c++) {
        for (uint32_t block = 4096; block <= CHUNK_BLOCK_MAX; block += 4096) {
            struct chunk_shape shape = {
                .plain_len = 150000, .padded_len = 150000 + block / 7, .block_len = block};
            check_every_loss(codes[c].k, codes[c].m, shape);
        }
    }
}

static void every_loss_of_a_4_mib_chunk_is_rebuilt(void **state)
{
    (void)state;
    for (size_t c = 0; c < CODES; c++) {
        check_every_loss(codes[c].k, codes[c].m, chunk_shape_choose(4 * 1048576, codes[c].k));
        check_every_loss(codes[c].k, codes[c].m, chunk_shape_choose(4 * 1048576 - 1, codes[c].k));
    }
}

/* Lengths of the last block around the sizes of vector registers. */
static void every_length_of_the_last_block_is_rebuilt(void **state)
{
    (void)state;
    for (uint32_t last = 1; last <= 300; last++) {
        for (uint32_t blocks = 0; blocks < 5; blocks++) {
            uint32_t length = blocks * 4096 + last;
            struct cut cut;
            struct chunk_shape shape = {
                .plain_len = length, .padded_len = length, .block_len = 4096};
            cut_init(&cut, 4, 2, shape);
            check_loss(&cut, 0x03);
            check_loss(&cut, 0x0c);
            check_loss(&cut, 0x12);
            check_loss(&cut, 0x30);
            cut_done(&cut);
        }
    }
}

static void wide_codes_are_rebuilt(void **state)
{
    (void)state;
    struct cut cut;
    cut_init(&cut, 20, 4, chunk_shape_choose(1000000, 20));
    check_loss(&cut, 0x00000f);
    check_loss(&cut, 0xf00000);
    check_loss(&cut, 0x810401);
    cut_done(&cut);
    cut_init(&cut, 12, 12, chunk_shape_choose(500000, 12));
    check_loss(&cut, 0x000fff);
    check_loss(&cut, 0xaaaaaa);
    cut_done(&cut);
    cut_init(&cut, 23, 1, chunk_shape_choose(70000, 23));
    check_loss(&cut, 1);
    cut_done(&cut);
}

static uint8_t multiply(uint8_t a, uint8_t b)
{
    unsigned product = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        product ^= (b >> bit & 1) != 0 ? (unsigned)a << bit : 0;
    }
    for (unsigned bit = 15; bit >= 8; bit--) {
        product ^= (product >> bit & 1) != 0 ? 0x11dU << (bit - 8) : 0;
    }
    return (uint8_t)product;
}

static void parity_is_that_of_the_field(void **state)
{
    (void)state;
    static const uint8_t rows[2][4] = {{0x47, 0xa7, 0x7a, 0xba}, {0xa7, 0x47, 0xba, 0x7a}};
    static const uint32_t lengths[] = {1, 4096, 9000, 16384, 20001, 70000};
    for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++) {
        struct cut cut;
        cut_init(&cut, 4, 2, chunk_shape_choose(lengths[n], 4));
        for (unsigned p = 0; p < 2; p++) {
            for (size_t i = 0; i < cut.sizes[4]; i++) {
                uint8_t sum = 0;
                for (unsigned j = 0; j < 4; j++) {
                    sum ^=
                        multiply(rows[p][j], i < cut.sizes[j] ? cut.fragments[j][i] : (uint8_t)0);
                }
                assert_int_equal(cut.fragments[4 + p][i], sum);
            }
        }
        cut_done(&cut);
    }
}

static void check_digest(const struct cut *cut, unsigned index, const char *want)
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    struct bytes bytes = bytes_of(cut->fragments[index], cut->sizes[index]);
    assert_ok(digest_sha256(&bytes, 1, digest));
    vector_check(BYTES_ARRAY(digest), want);
}

/* Seal the 10,000 bytes of FORMATS 3 into sealed. */
static void seal_known_chunk(struct chunk_shape shape, uint8_t *sealed)
{
    struct chunk_context context = {.shape = shape};
    VECTOR(id, "0000050000060000000700000009");
    OWNED(secret) struct secret *dek = vector_key(0, 32);
    OWNED(chunk_cipher) struct chunk_cipher *cipher = NULL;
    memset(context.tenant, 0x11, 16);
    memset(context.bucket, 0x22, 16);
    memset(context.data, 0x33, 16);
    memcpy(context.chunk_id, id.data, CHUNK_ID_SIZE);
    for (uint32_t i = 0; i < shape.plain_len; i++) {
        sealed[chunk_shape_offset(&shape, i / 4096) + i % 4096] = (uint8_t)(i % 251);
    }
    assert_ok(chunk_cipher_new(dek, &context, &cipher));
    assert_ok(chunk_cipher_seal(cipher, sealed));
}

static void known_answer_of_formats_4(void **state)
{
    (void)state;
    struct chunk_shape shape = {.plain_len = 10000, .padded_len = 10000, .block_len = 4096};
    struct cut cut;
    cut_init(&cut, 4, 2, shape);
    seal_known_chunk(shape, cut.sealed);
    erasure_encode(cut.erasure, &shape, cut.sealed, cut.fragments + 4);
    assert_int_equal(cut.sizes[0], 4112);
    assert_int_equal(cut.sizes[1], 4112);
    assert_int_equal(cut.sizes[2], 1824);
    assert_int_equal(cut.sizes[3], 0);
    assert_int_equal(cut.sizes[4], 4112);
    check_digest(&cut, 4, "9c1d3acf0bfc4fa948c937c6fdf8414743f3a3c994671a7fbaf70052f6442a39");
    check_digest(&cut, 5, "37a71002b17fa55579c45823f2712c38e642e10b5de84e567c4487123a04a0af");
    cut_done(&cut);
}

static void blocks_lie_where_readers_look(void **state)
{
    (void)state;
    struct cut cut;
    struct chunk_shape shape = chunk_shape_choose(1000001, 4);
    cut_init(&cut, 4, 2, shape);
    for (uint32_t b = 0; b < chunk_shape_blocks(&shape); b++) {
        size_t size = chunk_shape_block_size(&shape, b) + CHUNK_TAG_SIZE;
        size_t offset = erasure_block_offset(cut.erasure, &shape, b);
        assert_true(offset + size <= cut.sizes[b % 4]);
        assert_memory_equal(
            cut.fragments[b % 4] + offset, cut.sealed + chunk_shape_offset(&shape, b), size);
    }
    size_t total = 0;
    uint8_t *back = guarded(chunk_shape_sealed_size(&shape));
    for (unsigned i = 0; i < 4; i++) {
        total += cut.sizes[i];
        erasure_scatter(cut.erasure, &shape, cut.fragments[i], i, back);
    }
    assert_int_equal(total, chunk_shape_sealed_size(&shape));
    assert_memory_equal(back, cut.sealed, total);
    check_guard(back, total);
    free(back);
    cut_done(&cut);
}

static void copies_are_identical(void **state)
{
    (void)state;
    struct cut cut;
    cut_init(&cut, 1, 2, chunk_shape_choose(100000, 1));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(cut.sizes[i], chunk_shape_sealed_size(&cut.shape));
        assert_memory_equal(cut.fragments[i], cut.sealed, cut.sizes[i]);
    }
    cut_done(&cut);
}

static void too_few_fragments_and_bad_codes_are_refused(void **state)
{
    (void)state;
    struct cut cut;
    struct erasure *none = NULL;
    bool is_present[6] = {true, true, false, true, false, false};
    cut_init(&cut, 4, 2, chunk_shape_choose(100000, 4));
    assert_status(
        erasure_rebuild(cut.erasure, &cut.shape, cut.fragments, is_present), STATUS_INVALID);
    cut_done(&cut);
    assert_status(erasure_new(0, 2, &none), STATUS_INVALID);
    assert_status(erasure_new(25, 0, &none), STATUS_INVALID);
    assert_status(erasure_new(20, 5, &none), STATUS_INVALID);
    assert_status(erasure_new(1, 0xffffffff, &none), STATUS_INVALID);
    assert_null(none);
    erasure_free(NULL);
}

/* A line in the log. */
static void speed_of_encoding(void **state)
{
    (void)state;
    struct cut cut;
    cut_init(&cut, 4, 2, chunk_shape_choose(4 * 1048576, 4));
    int64_t begin = clock_monotonic_us();
    for (int i = 0; i < 50; i++) {
        erasure_encode(cut.erasure, &cut.shape, cut.sealed, cut.fragments + 4);
    }
    int64_t spent = clock_monotonic_us() - begin;
    print_message("encoded 200 MiB 4+2 at %lld MB/s\n", (long long)(50LL * 4194304 / (spent + 1)));
    cut_done(&cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_of_formats_4),
        cmocka_unit_test(parity_is_that_of_the_field),
        cmocka_unit_test(blocks_lie_where_readers_look),
        cmocka_unit_test(copies_are_identical),
        cmocka_unit_test(every_loss_of_small_and_odd_chunks_is_rebuilt),
        cmocka_unit_test(every_loss_at_every_block_length_is_rebuilt),
        cmocka_unit_test(every_loss_of_a_4_mib_chunk_is_rebuilt),
        cmocka_unit_test(every_length_of_the_last_block_is_rebuilt),
        cmocka_unit_test(wide_codes_are_rebuilt),
        cmocka_unit_test(too_few_fragments_and_bad_codes_are_refused),
        cmocka_unit_test(speed_of_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
