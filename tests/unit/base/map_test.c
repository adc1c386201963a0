/* A map finds what was put and not removed, whatever came between. */

#include "lib/base/map.h"

#include "tests/support/cmocka.h"

enum { KEYS = 5000 };

static int values[KEYS];

static void what_was_put_is_found_until_removed(void **state)
{
    (void)state;
    OWNED(map) struct map *map = NULL;
    void *old = map;
    assert_ok(map_new(sizeof(uint32_t), &map));
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_ok(map_put(map, &i, &values[i], &old));
        assert_null(old);
    }
    assert_int_equal(map_count(map), KEYS);
    for (uint32_t i = 0; i < KEYS; i += 2) {
        assert_ptr_equal(map_remove(map, &i), &values[i]);
        assert_null(map_remove(map, &i));
    }
    assert_int_equal(map_count(map), KEYS / 2);
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(map, &i), i % 2 == 0 ? NULL : &values[i]);
    }
}

static void a_second_put_replaces(void **state)
{
    (void)state;
    OWNED(map) struct map *map = NULL;
    void *old = NULL;
    assert_ok(map_new(3, &map));
    assert_ok(map_put(map, "abc", &values[0], NULL));
    assert_ok(map_put(map, "abc", &values[1], &old));
    assert_ptr_equal(old, &values[0]);
    assert_ptr_equal(map_get(map, "abc"), &values[1]);
    assert_int_equal(map_count(map), 1);
}

/* As a cache does it for ever: the marks of removed keys must not fill the table. */
static void endless_turnover_stays_small_and_right(void **state)
{
    (void)state;
    OWNED(map) struct map *map = NULL;
    assert_ok(map_new(sizeof(uint32_t), &map));
    for (uint32_t i = 0; i < 200000; i++) {
        assert_ok(map_put(map, &i, &values[i % KEYS], NULL));
        if (i >= 10) {
            uint32_t oldest = i - 10;
            assert_ptr_equal(map_remove(map, &oldest), &values[oldest % KEYS]);
        }
    }
    assert_int_equal(map_count(map), 10);
}

static void a_walk_meets_each_entry_once_and_may_remove_it(void **state)
{
    (void)state;
    OWNED(map) struct map *map = NULL;
    static bool met[KEYS];
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;
    size_t count = 0;
    assert_ok(map_new(sizeof(uint32_t), &map));
    assert_false(map_next(map, &cursor, &key, &value));
    for (uint32_t i = 0; i < KEYS; i++) {
        assert_ok(map_put(map, &i, &values[i], NULL));
    }
    while (map_next(map, &cursor, &key, &value)) {
        uint32_t number;
        memcpy(&number, key, sizeof(number));
        assert_false(met[number]);
        assert_ptr_equal(value, &values[number]);
        met[number] = true;
        count++;
        assert_ptr_equal(map_remove(map, &number), value);
    }
    assert_int_equal(count, KEYS);
    assert_int_equal(map_count(map), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_until_removed),
        cmocka_unit_test(a_second_put_replaces),
        cmocka_unit_test(endless_turnover_stays_small_and_right),
        cmocka_unit_test(a_walk_meets_each_entry_once_and_may_remove_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
