/* A buffer holds what was added, and remembers the first failure until it is asked. */

#include "lib/base/buffer.h"

#include "tests/support/cmocka.h"

static void additions_lie_one_behind_the_other(void **state)
{
    (void)state;
    BUFFER(buffer, 1 << 20);
    buffer_add_u8(&buffer, 1);
    buffer_add_u16(&buffer, 0x0203);
    buffer_add_u32(&buffer, 0x04050607);
    buffer_add_u48(&buffer, 0x08090a0b0c0d);
    buffer_add_u64(&buffer, 0x0e0f101112131415);
    for (uint8_t i = 0; i < 21; i++) {
        assert_int_equal(buffer.data[i], i + 1);
    }
    buffer_add_zeros(&buffer, 5000);
    buffer_add_text(&buffer, "text");
    buffer_printf(&buffer, "%d-%s", 42, "x");
    assert_ok(buffer_status(&buffer));
    assert_int_equal(buffer.size, 21 + 5000 + 4 + 4);
    assert_int_equal(buffer.data[5020], 0);
    assert_memory_equal(buffer.data + 5021, "text42-x", 8);
}

static void limit_is_exact_and_failure_is_remembered(void **state)
{
    (void)state;
    BUFFER(buffer, 10);
    buffer_add(&buffer, bytes_of("0123456789", 10));
    assert_ok(buffer_status(&buffer));
    buffer_add_u8(&buffer, 1);
    assert_status(buffer_status(&buffer), STATUS_TOO_LARGE);
    assert_int_equal(buffer.size, 10);
    buffer_reset(&buffer);
    assert_ok(buffer_status(&buffer));
    buffer_add_text(&buffer, "01234");
    buffer_add_text(&buffer, "too long");
    buffer_add_text(&buffer, "ok"); /* It would fit, but what came before is missing. */
    assert_status(buffer_status(&buffer), STATUS_TOO_LARGE);
    assert_int_equal(buffer.size, 5);
    assert_null(buffer_extend(&buffer, 1));
}

static void empty_additions_change_nothing(void **state)
{
    (void)state;
    BUFFER(buffer, 0);
    buffer_add(&buffer, bytes_of(NULL, 0));
    buffer_add_zeros(&buffer, 0);
    buffer_add_text(&buffer, "");
    assert_ok(buffer_status(&buffer));
    assert_int_equal(buffer.size, 0);
    buffer_add_u8(&buffer, 1);
    assert_status(buffer_status(&buffer), STATUS_TOO_LARGE);
}

static void a_buffer_is_usable_again_after_done(void **state)
{
    (void)state;
    BUFFER(buffer, 100);
    buffer_add_text(&buffer, "one");
    buffer_done(&buffer);
    assert_int_equal(buffer.size, 0);
    buffer_add_text(&buffer, "two");
    assert_memory_equal(buffer.data, "two", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(additions_lie_one_behind_the_other),
        cmocka_unit_test(limit_is_exact_and_failure_is_remembered),
        cmocka_unit_test(empty_additions_change_nothing),
        cmocka_unit_test(a_buffer_is_usable_again_after_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
