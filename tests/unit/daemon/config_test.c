/* A configuration is taken whole or refused with a sentence that says where and why. */

#include "lib/daemon/config.h"

#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    const char *data_dir;
    const char *admin;
    uint64_t segment_size;
    uint64_t workers;
    uint64_t lease_time;
    bool is_strict;
};

static const struct config_option options[] = {
#define OPTION(...) CONFIG_ROW(struct settings, __VA_ARGS__)
    OPTION(data_dir, TEXT, NULL, NULL, NULL, "directory of the store")
        OPTION(admin, TEXT, "", NULL, NULL, "admin address")
            OPTION(segment_size, SIZE, "64MiB", "1MiB", "4GiB", "bytes of one segment")
                OPTION(workers, COUNT, "8", "1", "1024", "threads")
                    OPTION(lease_time, DURATION, "60s", "200ms", "7d", "life of a lease")
                        OPTION(is_strict, FLAG, "true", NULL, NULL, "strictness")
#undef OPTION
};

enum { COUNT = sizeof(options) / sizeof(options[0]) };

static char error_text[1024];

static enum status_code parse(const char *text, struct settings *settings, struct arena *arena)
{
    BUFFER(error, sizeof(error_text) - 1);
    memset(settings, 0, sizeof(*settings));
    enum status_code code =
        config_parse(bytes_text(text), "test.conf", options, COUNT, arena, settings, &error).code;
    memcpy(error_text, error.data == NULL ? (const uint8_t *)"" : error.data, error.size);
    error_text[error.size] = '\0';
    return code;
}

static void values_and_defaults_are_set(void **state)
{
    (void)state;
    ARENA(arena, 65536);
    struct settings settings;
    const char *text = "# comment\n\n  data_dir = /var/lib/x y \r\nsegment_size=16MiB\n"
                       "workers =  12\nlease_time = 10m\nis_strict = false";
    assert_int_equal(parse(text, &settings, &arena), STATUS_OK);
    assert_string_equal(settings.data_dir, "/var/lib/x y");
    assert_string_equal(settings.admin, "");
    assert_int_equal(settings.segment_size, 16 << 20);
    assert_int_equal(settings.workers, 12);
    assert_int_equal(settings.lease_time, 600000);
    assert_false(settings.is_strict);

    assert_int_equal(parse("data_dir = /x", &settings, &arena), STATUS_OK);
    assert_int_equal(settings.segment_size, 64 << 20);
    assert_int_equal(settings.lease_time, 60000);
    assert_true(settings.is_strict);
}

static void each_mistake_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } bad[] = {
        {"", "test.conf: data_dir: must be set: directory of the store\n"},
        {"data_dir =", "test.conf:1: data_dir: must not be empty\n"},
        {"data_dir = a\nhello", "test.conf:2: hello: is not of the form key = value\n"},
        {"data_dir = a\nmode = b", "test.conf:2: mode: there is no such option\n"},
        {"data_dir = a\n\ndata_dir = b", "test.conf:3: data_dir: is set again; first in line 1\n"},
        {"segment_size = 5", "test.conf:1: segment_size: \"5\" is below the least value, 1MiB\n"},
        {"workers = 2000", "test.conf:1: workers: \"2000\" is above the greatest, 1024\n"},
        {"workers = 1KiB", "test.conf:1: workers: \"1KiB\" is not a whole number\n"},
        {"workers = -1", "test.conf:1: workers: \"-1\" is not a whole number\n"},
        {"workers = 99999999999999999999",
         "test.conf:1: workers: \"99999999999999999999\" is not a whole number\n"},
        {"segment_size = 99999999999TiB",
         "test.conf:1: segment_size: \"99999999999TiB\" is not a size such as 4096, 64KiB, "
         "16MiB or 1GiB\n"},
        {"lease_time = 5",
         "test.conf:1: lease_time: \"5\" is not a duration such as 200ms, 5s, 10m, 1h or 7d\n"},
        {"is_strict = yes", "test.conf:1: is_strict: \"yes\" is neither true nor false\n"},
        {"x\x01y = 1", "test.conf:1: x?y: there is no such option\n"},
        {" = 1", "test.conf:1: : there is no such option\n"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ARENA(arena, 65536);
        struct settings settings;
        assert_int_equal(parse(bad[i].text, &settings, &arena), STATUS_INVALID);
        assert_string_equal(error_text, bad[i].error);
    }
}

static void what_is_printed_parses_to_the_same(void **state)
{
    (void)state;
    ARENA(arena, 65536);
    struct settings one;
    struct settings other;
    const char *text = "data_dir = /d\nsegment_size = 1536KiB\nlease_time = 90s\nworkers = 1";
    assert_int_equal(parse(text, &one, &arena), STATUS_OK);
    BUFFER(printed, 65536);
    config_print(options, COUNT, &one, &printed);
    buffer_add_u8(&printed, 0);
    const char *shown = (const char *)printed.data;
    assert_non_null(
        strstr(shown, "# bytes of one segment (1MiB to 4GiB)\nsegment_size = 1536KiB\n"));
    assert_non_null(strstr(shown, "lease_time = 90s\n"));
    assert_int_equal(parse(shown, &other, &arena), STATUS_OK);
    assert_string_equal(one.data_dir, other.data_dir);
    assert_int_equal(one.segment_size, other.segment_size);
    assert_int_equal(one.lease_time, other.lease_time);
    assert_int_equal(one.workers, other.workers);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    ARENA(arena, 65536);
    struct settings settings;
    BUFFER(error, 1024);
    assert_status(
        config_load("/nonexistent/x.conf", options, COUNT, &arena, &settings, &error),
        STATUS_NOT_FOUND);
    buffer_add_u8(&error, 0);
    assert_string_equal(
        (const char *)error.data,
        "/nonexistent/x.conf: cannot be read: No such file or directory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_defaults_are_set),
        cmocka_unit_test(each_mistake_is_named_with_its_line),
        cmocka_unit_test(what_is_printed_parses_to_the_same),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
