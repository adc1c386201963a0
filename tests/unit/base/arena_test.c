/* An arena gives aligned, separate memory up to its limit, and all of it back at once. */

#include "lib/base/arena.h"

#include "tests/support/cmocka.h"

#include <stdalign.h>

static void pieces_are_aligned_and_separate(void **state)
{
    (void)state;
    ARENA(arena, 1 << 20);
    uint8_t *pieces[200];
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = arena_alloc(&arena, i * 13);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i * 13);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t j = 0; j < i * 13; j++) {
            assert_int_equal(pieces[i][j], i);
        }
    }
}

static void large_pieces_leave_room_for_small_ones(void **state)
{
    (void)state;
    ARENA(arena, 1 << 20);
    uint8_t *small = arena_alloc(&arena, 16);
    uint8_t *large = arena_alloc(&arena, 100000);
    uint8_t *next = arena_alloc(&arena, 16);
    assert_non_null(large);
    assert_ptr_equal(next, small + 16);
}

static void the_limit_and_overflow_give_null(void **state)
{
    (void)state;
    ARENA(arena, 1000);
    assert_non_null(arena_alloc(&arena, 900));
    assert_null(arena_alloc(&arena, 200));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_zalloc(&arena, SIZE_MAX / 2, 4));
    assert_null(arena_text(
        &arena, bytes_text("a text that is longer than the hundred bytes that are left in the "
                           "arena, so that there is "
                           "no place for a copy of it")));
    assert_non_null(arena_alloc(&arena, 50));
}

static void copies_end_with_a_nul(void **state)
{
    (void)state;
    ARENA(arena, 1000);
    struct bytes copy = arena_copy(&arena, bytes_of("abcdef", 3));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.data, "abc", 4);
    assert_string_equal(arena_text(&arena, bytes_of(NULL, 0)), "");
    assert_string_equal(arena_printf(&arena, "%s/%d", "a", 7), "a/7");
    const uint8_t *zeros = arena_zalloc(&arena, 3, 4);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(zeros[i], 0);
    }
}

static void an_arena_is_usable_again_after_done(void **state)
{
    (void)state;
    ARENA(arena, 1000);
    arena_wipe(&arena);
    assert_non_null(arena_alloc(&arena, 900));
    arena_done(&arena);
    assert_non_null(arena_alloc(&arena, 900));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_separate),
        cmocka_unit_test(large_pieces_leave_room_for_small_ones),
        cmocka_unit_test(the_limit_and_overflow_give_null),
        cmocka_unit_test(copies_end_with_a_nul),
        cmocka_unit_test(an_arena_is_usable_again_after_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
