/* A placement comes back as written, and nothing that does not fit exactly is read. */

#include "lib/format/placement_row.h"

#include "tests/support/vector.h"

static const struct placement_entry written[] = {
    {.account = 1, .copy = 0, .state = PLACEMENT_STORED},
    {.account = 2, .copy = 1, .state = PLACEMENT_MOVING, .target_account = 9, .target_copy = 6},
    {.account = 0x01020304, .copy = 255, .state = PLACEMENT_MISSING},
    {.account = 4, .copy = 3, .state = PLACEMENT_MOVING, .target_account = 8, .target_copy = 7},
};

static void known_answer_and_way_back(void **state)
{
    (void)state;
    BUFFER(row, 256);
    struct placement_entry read[4];
    placement_encode(&row, written, 4);
    assert_ok(buffer_status(&row));
    vector_check(
        buffer_bytes(&row), "000000010001"
                            "000000020103"
                            "01020304ff02"
                            "000000040303"
                            "0000000906"
                            "0000000807");
    assert_ok(placement_decode(buffer_bytes(&row), read, 4));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(read[i].account, written[i].account);
        assert_int_equal(read[i].copy, written[i].copy);
        assert_int_equal(read[i].state, written[i].state);
        assert_int_equal(read[i].target_account, written[i].target_account);
        assert_int_equal(read[i].target_copy, written[i].target_copy);
    }
}

static void other_lengths_and_counts_are_refused(void **state)
{
    (void)state;
    BUFFER(row, 256);
    struct placement_entry read[8];
    placement_encode(&row, written, 4);
    for (size_t size = 0; size < row.size; size++) {
        assert_status(placement_decode(bytes_of(row.data, size), read, 4), STATUS_CORRUPT);
    }
    assert_status(placement_decode(buffer_bytes(&row), read, 3), STATUS_CORRUPT);
    assert_status(placement_decode(buffer_bytes(&row), read, 5), STATUS_CORRUPT);
    buffer_add_u8(&row, 0);
    assert_status(placement_decode(buffer_bytes(&row), read, 4), STATUS_CORRUPT);
}

static void unknown_states_are_refused(void **state)
{
    (void)state;
    BUFFER(row, 256);
    struct placement_entry read[1];
    placement_encode(&row, written, 1);
    for (unsigned value = 0; value < 256; value++) {
        row.data[5] = (uint8_t)value;
        enum status_code want = value == 1 || value == 2 ? STATUS_OK : STATUS_CORRUPT;
        assert_status(placement_decode(buffer_bytes(&row), read, 1), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_and_way_back),
        cmocka_unit_test(other_lengths_and_counts_are_refused),
        cmocka_unit_test(unknown_states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
