/* LIST shows every name once, in S3's byte order, whatever the names, the delimiter and the page
 * size. */

#include "contentdb/object_lister.h"

#include "tests/support/cmocka.h"
#include "tests/unit/contentdb/content_fixture.h"

#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    static struct content_fixture fixture;
    content_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    content_fixture_close(*state);
    return 0;
}

static void put(struct content_fixture *f, const char *name)
{
    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, name, 0), NULL), OUTCOME(DONE));
}

static void names_come_in_byte_order(void **state)
{
    struct content_fixture *f = *state;
    static const char *const names[] = {"b",    "a\xff",    "a/b", "a", "a!",
                                        "\x01", "\xff\xff", "B",   "a0"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put(f, names[i]);
    }
    assert_string_equal(
        content_fixture_list(f, "", "", "", 1000), "\x01 B a a! a/b a0 a\xff b \xff\xff");
    assert_string_equal(content_fixture_list(f, "a", "", "", 1000), "a a! a/b a0 a\xff");
    assert_string_equal(content_fixture_list(f, "\xff", "", "", 1000), "\xff\xff");
    assert_string_equal(content_fixture_list(f, "x", "", "", 1000), "");
}

static void a_delimiter_folds_what_is_behind_it(void **state)
{
    struct content_fixture *f = *state;
    static const char *const names[] = {"a", "a/", "a/b", "a/c/d", "a/c/e", "a0", "b/c", "b//"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put(f, names[i]);
    }
    assert_string_equal(content_fixture_list(f, "", "/", "", 1000), "a [a/] a0 [b/]");
    assert_string_equal(content_fixture_list(f, "a", "/", "", 1000), "a [a/] a0");
    assert_string_equal(content_fixture_list(f, "a/", "/", "", 1000), "a/ a/b [a/c/]");
    assert_string_equal(content_fixture_list(f, "a/c", "/", "", 1000), "[a/c/]");
    assert_string_equal(content_fixture_list(f, "b", "//", "", 1000), "[b//] b/c");
    assert_string_equal(content_fixture_list(f, "", "/", "a/", 1000), "a0 [b/]");
    assert_string_equal(content_fixture_list(f, "", "/", "a/b", 1000), "[a/] a0 [b/]");
    assert_string_equal(content_fixture_list(f, "a/", "/", "a/b", 1000), "[a/c/]");
    assert_string_equal(content_fixture_list(f, "a/", "/", "a/c/", 1000), "");
}

static void a_group_at_the_end_of_bytes_is_skipped(void **state)
{
    struct content_fixture *f = *state;
    put(f, "\xff");
    put(f, "\xff\xff");
    put(f, "\xff\xff\xff");
    assert_string_equal(content_fixture_list(f, "", "\xff", "", 1000), "[\xff]");
    assert_string_equal(content_fixture_list(f, "", "\xff", "\xff", 1000), "");
    assert_string_equal(content_fixture_list(f, "\xff", "\xff", "", 1000), "\xff [\xff\xff]");
}

static void another_bucket_is_never_seen(void **state)
{
    struct content_fixture *f = *state;
    put(f, "a");
    struct grant first = f->grant;
    f->grant = content_fixture_bucket(f, "other");
    put(f, "b");
    assert_string_equal(content_fixture_list(f, "", "", "", 1000), "b");
    f->grant = first;
    assert_string_equal(content_fixture_list(f, "", "", "", 1000), "a");
}

static void pages_of_one_name_join_to_the_whole(void **state)
{
    struct content_fixture *f = *state;
    static const char *const names[] = {"a", "a/b", "a/c", "b", "c/d", "c/e", "c0"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        put(f, names[i]);
    }
    for (uint32_t limit = 1; limit < 8; limit++) {
        for (int with_delimiter = 0; with_delimiter < 2; with_delimiter++) {
            const char *delimiter = with_delimiter ? "/" : "";
            const char *after = "";
            BUFFER(joined, 4096);
            for (;;) {
                const char *page = content_fixture_list(f, "", delimiter, after, limit);
                const char *mark = strstr(page, " > ");
                size_t size = mark != NULL ? (size_t)(mark - page) : strlen(page);
                buffer_add_text(&joined, joined.size > 0 ? " " : "");
                buffer_add(&joined, bytes_of(page, size));
                if (mark == NULL) {
                    break;
                }
                after = mark + 3;
            }
            buffer_add_u8(&joined, 0);
            assert_string_equal(joined.data, content_fixture_list(f, "", delimiter, "", 1000));
        }
    }
}

static void a_name_may_be_1024_bytes(void **state)
{
    struct content_fixture *f = *state;
    char name[ROW_NAME_MAX + 2];
    memset(name, 'n', sizeof(name));
    name[ROW_NAME_MAX] = 0;
    put(f, name);
    assert_string_equal(content_fixture_list(f, "", "", "", 1), name);
    assert_string_equal(content_fixture_list(f, name, "", "", 1), name);
    assert_string_equal(content_fixture_list(f, "", "", name, 1), "");
    name[ROW_NAME_MAX] = 'n';
    name[ROW_NAME_MAX + 1] = 0;
    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, name, 0), NULL), OUTCOME(INVALID));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(names_come_in_byte_order),
        TEST(a_delimiter_folds_what_is_behind_it),
        TEST(a_group_at_the_end_of_bytes_is_skipped),
        TEST(another_bucket_is_never_seen),
        TEST(pages_of_one_name_join_to_the_whole),
        TEST(a_name_may_be_1024_bytes),
    };
    return cmocka_run_group_tests_name("object_lister", tests, NULL, NULL);
}
