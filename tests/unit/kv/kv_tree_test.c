/*
 * The tree alone, deep enough that inner nodes split and join: rows are found after any changes,
 * undone edits leave the version before as it was, and nothing is lost or freed twice.
 */

#include "lib/kv/kv_tree.h"

#include "lib/base/encode.h"
#include "tests/support/cmocka.h"
#include "tests/unit/kv/kv_support.h"

#include <stdlib.h>

enum { KEYS = 30000, KEY_SIZE_MAX = 420, STEPS = 40, EDITS = 3000 };

struct fixture {
    struct kv_tree_group group;
    uint64_t next_id;
    uint64_t next_token;
    uint64_t seed;
    uint32_t *values; /* Of each key; 0: absent. */
    uint32_t *before; /* At the start of the edit. */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->group.number = 1;
    f->group.next_id = &f->next_id;
    f->next_token = 1;
    f->seed = 77;
    f->values = calloc(KEYS, sizeof(*f->values));
    f->before = calloc(KEYS, sizeof(*f->before));
    assert_true(f->values != NULL && f->before != NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    kv_tree_free(&f->group.root);
    kv_tree_free_retired(f->group.retired);
    free(f->values);
    free(f->before);
    free(f);
    return 0;
}

/* Long, so that inner nodes have few children, with neighbours that differ late. */
static struct bytes key_of(uint32_t number, uint8_t key[KEY_SIZE_MAX])
{
    size_t size = number % 7 == 0 ? KEY_SIZE_MAX : 260 + number % 90;
    memset(key, 'k', size);
    encode_u32(key, number / 50);
    encode_u32(key + 250, number);
    return bytes_of(key, size);
}

static void put(struct fixture *f, struct kv_edit *edit, uint32_t number, uint32_t value)
{
    uint8_t key[KEY_SIZE_MAX];
    uint8_t data[1000];
    memset(data, (int)value, sizeof(data));
    encode_u32(data, value);
    size_t size = number % 100 == 0 ? sizeof(data) : 4 + number % 60;
    assert_ok(kv_tree_put(edit, key_of(number, key), bytes_of(data, size)));
    f->values[number] = value;
}

static void drop(struct fixture *f, struct kv_edit *edit, uint32_t number)
{
    uint8_t key[KEY_SIZE_MAX];
    bool was_there;
    assert_ok(kv_tree_delete(edit, key_of(number, key), &was_there));
    assert_int_equal(was_there, f->values[number] != 0);
    f->values[number] = 0;
}

static void check(struct fixture *f)
{
    assert_ok(kv_tree_check(&f->group.root));
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t key[KEY_SIZE_MAX];
        struct kv_place place;
        bool is_there = kv_tree_find(&f->group.root, key_of(i, key), &place);
        assert_int_equal(is_there, f->values[i] != 0);
        if (is_there) {
            struct bytes value = kv_node_value(kv_place_node(&place), kv_place_at(&place));
            assert_int_equal(decode_u32(value.data), f->values[i]);
        }
    }
}

/* One edit of random steps, of which `puts` of 10 are puts; every fifth edit is undone. */
static void edit_once(struct fixture *f, uint32_t round, unsigned puts)
{
    struct kv_edit edit;
    kv_tree_edit_begin(&edit, &f->group, f->next_token++);
    memcpy(f->before, f->values, KEYS * sizeof(*f->before));
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)(kv_support_next(&f->seed) % KEYS);
        if (kv_support_next(&f->seed) % 10 < puts) {
            put(f, &edit, number, round + 1);
        } else {
            drop(f, &edit, number);
        }
    }
    if (round % 5 == 4) {
        kv_tree_edit_undo(&edit);
        memcpy(f->values, f->before, KEYS * sizeof(*f->before));
    } else {
        kv_tree_edit_keep(&edit);
    }
    if (round % 16 == 0) { /* A new group: what is retired now was seen by others. */
        kv_tree_free_retired(f->group.retired);
        f->group.retired = NULL;
        f->group.made = (struct kv_tree_made){0};
        f->group.number++;
    }
}

static void rows_survive_growth_and_decline(void **state)
{
    struct fixture *f = *state;
    for (uint32_t round = 0; round < EDITS; round++) {
        edit_once(f, round, round < EDITS / 2 ? 8 : 2);
        if (round % 300 == 299) {
            check(f);
        }
    }
    assert_true(f->group.root.node->level >= 3);
    /* Down to nothing and up again, in order. */
    struct kv_edit edit;
    kv_tree_edit_begin(&edit, &f->group, f->next_token++);
    for (uint32_t i = 0; i < KEYS; i++) {
        drop(f, &edit, i * 7919 % KEYS);
        if (i % 100 == 0) { /* Rows that only the lowest separators lead to. */
            put(f, &edit, i * 7919 % KEYS, 5);
            drop(f, &edit, i * 7919 % KEYS);
        }
        if (i % 1000 == 0) {
            assert_ok(kv_tree_check(&edit.root));
        }
    }
    assert_int_equal(edit.root.rows, 0);
    assert_int_equal(edit.root.row_bytes, 0);
    assert_int_equal(edit.root.node->level, 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        put(f, &edit, i, i + 1);
    }
    kv_tree_edit_keep(&edit);
    check(f);
}

/* All rows of one run, then the lowest of each part again and again: joins of inner nodes must
 * keep the keys that lie below a node's own first key. */
static void joined_nodes_keep_the_lowest_rows(void **state)
{
    struct fixture *f = *state;
    struct kv_edit edit;
    kv_tree_edit_begin(&edit, &f->group, f->next_token++);
    for (uint32_t i = 0; i < KEYS; i++) {
        put(f, &edit, i, 1);
    }
    for (uint32_t from = 0; from + 200 <= KEYS; from += 200) {
        for (uint32_t i = 0; i < 190; i++) { /* First children go first, last ones stay. */
            drop(f, &edit, from + i);
            if (i % 10 == 9) {
                put(f, &edit, from + i - 9, 2);
            }
        }
    }
    for (uint32_t i = 0; i < KEYS; i += 3) {
        if (f->values[i] != 0) {
            drop(f, &edit, i);
        }
    }
    kv_tree_edit_keep(&edit);
    check(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_survive_growth_and_decline, setup, teardown),
        cmocka_unit_test_setup_teardown(joined_nodes_keep_the_lowest_rows, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
