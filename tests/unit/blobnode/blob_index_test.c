/* The index finds what was added and walks it in the order of ids, however many there are. */

#include "blobnode/blob_index.h"

#include "lib/base/encode.h"
#include "tests/support/cmocka.h"

static struct id16 id_of(uint32_t number)
{
    struct id16 id = {{0}};
    encode_u32(id.bytes, number * 2654435761U); /* Spread as a cipher would. */
    encode_u32(id.bytes + 12, number);
    return id;
}

static void add(struct blob_index *index, struct id16 id, uint32_t size)
{
    struct blob_place place = {.id = id, .size = size, .state = BLOB_STATE_LIVE};
    assert_ok(blob_index_add(index, &place));
}

static void every_entry_is_found_and_walked_in_order(void **state)
{
    enum { COUNT = 20000 };
    OWNED(blob_index) struct blob_index *index = NULL;
    (void)state;
    assert_ok(blob_index_new(&index));
    assert_null(blob_index_next(index, NULL));
    for (uint32_t i = 0; i < COUNT; i++) {
        add(index, id_of(i), i);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        struct id16 id = id_of(i);
        struct blob_place *place = blob_index_get(index, &id);
        assert_non_null(place);
        assert_int_equal(place->size, i);
    }
    size_t seen = 0;
    struct id16 last = {{0}};
    for (struct blob_place *place = blob_index_next(index, NULL); place != NULL;
         place = blob_index_next(index, &last)) {
        assert_true(seen == 0 || memcmp(last.bytes, place->id.bytes, ID16_SIZE) < 0);
        last = place->id;
        seen++;
    }
    assert_int_equal(seen, COUNT);
}

static void removed_entries_are_gone_and_the_others_stay(void **state)
{
    enum { COUNT = 3000 };
    OWNED(blob_index) struct blob_index *index = NULL;
    (void)state;
    assert_ok(blob_index_new(&index));
    for (uint32_t i = 0; i < COUNT; i++) {
        add(index, id_of(i), i);
    }
    for (uint32_t i = 0; i < COUNT; i += 2) {
        struct id16 id = id_of(i);
        blob_index_remove(index, &id);
    }
    assert_int_equal(blob_index_count(index), COUNT / 2);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct id16 id = id_of(i);
        assert_true((blob_index_get(index, &id) != NULL) == (i % 2 == 1));
    }
}

/* A peer that chooses ids gets a long bucket, not a wrong one. */
static void ids_with_one_prefix_share_a_bucket_and_are_found(void **state)
{
    enum { COUNT = 5000 };
    OWNED(blob_index) struct blob_index *index = NULL;
    (void)state;
    assert_ok(blob_index_new(&index));
    for (uint32_t i = 0; i < COUNT; i++) {
        struct id16 id = {{0xff, 0xff, 0xff, 0xff}};
        encode_u32(id.bytes + 12, i);
        add(index, id, i);
    }
    struct id16 id = {{0xff, 0xff, 0xff, 0xff}};
    encode_u32(id.bytes + 12, COUNT - 1);
    assert_non_null(blob_index_get(index, &id));
    assert_null(blob_index_next(index, &id));
    encode_u32(id.bytes + 12, COUNT);
    assert_null(blob_index_get(index, &id));
    assert_null(blob_index_next(index, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_found_and_walked_in_order),
        cmocka_unit_test(removed_entries_are_gone_and_the_others_stay),
        cmocka_unit_test(ids_with_one_prefix_share_a_bucket_and_are_found),
    };
    return cmocka_run_group_tests_name("blob_index", tests, NULL, NULL);
}
