/* Integers are big-endian, a reader never runs past its end, hexadecimal goes both ways. */

#include "lib/base/encode.h"

#include "lib/base/hex.h"
#include "tests/support/cmocka.h"

static void integers_come_back(void **state)
{
    (void)state;
    uint8_t room[8];
    encode_u16(room, 0xfedc);
    assert_int_equal(room[0], 0xfe);
    assert_int_equal(decode_u16(room), 0xfedc);
    encode_u32(room, 0xfedcba98);
    assert_int_equal(room[0], 0xfe);
    assert_int_equal(decode_u32(room), 0xfedcba98);
    encode_u48(room, 0xfedcba987654);
    assert_int_equal(room[0], 0xfe);
    assert_int_equal(decode_u48(room), 0xfedcba987654);
    encode_u64(room, 0xfedcba9876543210);
    assert_int_equal(room[0], 0xfe);
    assert_true(decode_u64(room) == 0xfedcba9876543210);
}

static void a_reader_fits_exactly_or_fails(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 0, 2, 0, 0, 0, 3, 0, 0, 9};
    struct reader reader = reader_of(BYTES_ARRAY(data));
    assert_int_equal(reader_u8(&reader), 1);
    assert_int_equal(reader_u16(&reader), 2);
    assert_int_equal(reader_u32(&reader), 3);
    reader_zeros(&reader, 2);
    assert_false(reader_finish(&reader));
    assert_int_equal(reader_u8(&reader), 9);
    assert_true(reader_finish(&reader));
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader_failed(&reader));
    assert_false(reader_finish(&reader));
}

static void after_a_failure_everything_is_zero(void **state)
{
    (void)state;
    static const uint8_t data[] = {1, 2, 3};
    uint8_t copy[2] = {7, 7};
    struct reader reader = reader_of(BYTES_ARRAY(data));
    assert_int_equal(reader_u32(&reader), 0);
    assert_int_equal(reader_u8(&reader), 0);
    reader_copy(&reader, copy, 2);
    assert_int_equal(copy[1], 0);
    assert_int_equal(reader_take(&reader, 1).size, 0);
    reader = reader_of(BYTES_ARRAY(data));
    assert_int_equal(reader_take(&reader, SIZE_MAX).size, 0);
    assert_true(reader_failed(&reader));
}

static void a_reserved_byte_that_is_not_zero_fails(void **state)
{
    (void)state;
    static const uint8_t data[] = {0, 0, 1};
    struct reader reader = reader_of(BYTES_ARRAY(data));
    reader_zeros(&reader, 3);
    assert_true(reader_failed(&reader));
}

static void hexadecimal_both_ways(void **state)
{
    (void)state;
    char text[9];
    uint8_t back[4] = {0};
    hex_encode(bytes_of("\x00\x7f\x80\xff", 4), text);
    assert_string_equal(text, "007f80ff");
    assert_true(hex_decode(bytes_text("007F80fF"), back, 4));
    assert_memory_equal(back, "\x00\x7f\x80\xff", 4);
    assert_false(hex_decode(bytes_text("007f80f"), back, 4));
    assert_false(hex_decode(bytes_text("007f80ff0"), back, 4));
    assert_false(hex_decode(bytes_text("007f80fg"), back, 4));
    assert_false(hex_decode(bytes_text("007f80 f"), back, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_come_back),
        cmocka_unit_test(a_reader_fits_exactly_or_fails),
        cmocka_unit_test(after_a_failure_everything_is_zero),
        cmocka_unit_test(a_reserved_byte_that_is_not_zero_fails),
        cmocka_unit_test(hexadecimal_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
