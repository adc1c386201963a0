/* Chunks become pages of 128 that follow one another, verify, and name what is missing. */

#include "frontend/manifest_builder.h"

#include "tests/support/cmocka.h"

enum { FRAGMENTS = 3, CHUNKS = 300, LENGTH = 5000 };

struct fixture {
    struct secret *key;
    struct manifest_builder *builder;
};

static int setup(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    if (!status_ok(secret_new_random(SECRET_KEY_SIZE, &fixture.key))) {
        return -1;
    }
    struct manifest_builder_options options = {
        .object_key = fixture.key,
        .data = {{1, 2, 3}},
        .content = content_of(77, 5),
        .part = 9,
        .ik_ver = 1,
        .k = 1,
        .m = 2,
    };
    return status_ok(manifest_builder_new(&options, &fixture.builder)) ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    manifest_builder_free(f->builder);
    secret_free(f->key);
    return 0;
}

static void add(struct manifest_builder *builder, uint32_t n, bool is_whole)
{
    uint8_t tags[FRAGMENTS * FRAGMENT_TAG_SIZE] = {(uint8_t)n};
    struct content content = content_of(77, 5);
    struct manifest_row row = {
        .chunk = chunk_id_of(&content, n),
        .suite = CHUNK_SUITE,
        .shape = chunk_shape_choose(LENGTH, 1),
        .tags = tags,
    };
    struct placement_entry entries[FRAGMENTS];
    for (uint8_t i = 0; i < FRAGMENTS; i++) {
        bool is_stored = is_whole || i > 0;
        entries[i] = (struct placement_entry){
            .account = i + 1u,
            .copy = i,
            .state = is_stored ? PLACEMENT_STORED : PLACEMENT_MISSING};
    }
    assert_ok(manifest_builder_add(builder, &row, entries));
}

static void pages_follow_one_another(void **state)
{
    struct fixture *f = *state;
    uint64_t offset = 0;
    for (uint32_t n = 0; n < CHUNKS; n++) {
        add(f->builder, n, true);
    }
    assert_ok(manifest_builder_finish(f->builder));
    assert_int_equal(manifest_builder_chunks(f->builder), CHUNKS);
    assert_int_equal(manifest_builder_pages(f->builder), 3);
    for (uint32_t page = 0; page < 3; page++) {
        struct bytes manifest = manifest_builder_manifest(f->builder, page);
        struct manifest_head head;
        struct placement_entry entries[MANIFEST_ROWS_MAX * FRAGMENTS];
        uint64_t length = 0;
        assert_ok(manifest_page_verify(manifest, f->key));
        assert_ok(manifest_page_head(manifest, &head));
        assert_int_equal(head.page, page);
        assert_int_equal(head.part, 9);
        assert_int_equal(head.rows, page < 2 ? 128 : CHUNKS - 256);
        assert_int_equal(head.first_off, offset);
        assert_ok(manifest_page_length(manifest, &length));
        offset += length;
        assert_ok(placement_decode(
            manifest_builder_placement(f->builder, page), entries, (size_t)head.rows * FRAGMENTS));
        assert_int_equal(entries[1].account, 2);
    }
    assert_int_equal(offset, (uint64_t)CHUNKS * LENGTH);
}

static void a_full_page_is_closed_at_once(void **state)
{
    struct fixture *f = *state;
    for (uint32_t n = 0; n < MANIFEST_ROWS_MAX; n++) {
        add(f->builder, n, true);
    }
    assert_ok(manifest_builder_finish(f->builder));
    assert_int_equal(manifest_builder_pages(f->builder), 1);
}

static void missing_fragments_become_repairs(void **state)
{
    struct fixture *f = *state;
    const uint32_t *repairs = NULL;
    for (uint32_t n = 0; n < 200; n++) {
        add(f->builder, n, n != 3 && n != 150);
    }
    assert_ok(manifest_builder_finish(f->builder));
    assert_int_equal(manifest_builder_repairs(f->builder, &repairs), 2);
    assert_int_equal(repairs[0], 3);
    assert_int_equal(repairs[1], 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_follow_one_another, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_page_is_closed_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_fragments_become_repairs, setup, teardown),
    };
    return cmocka_run_group_tests_name("manifest_builder", tests, NULL, NULL);
}
