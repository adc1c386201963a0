/* s3_time: the same instants as the C library's, in all three spellings, and no others. */

#include "lib/s3/s3_time.h"

#include "tests/support/cmocka.h"

#include <time.h>

static void formats_agree_with_the_library(void **state)
{
    static const int64_t TIMES[] = {0,          951782400,  951868799, 1369353600,
                                    4107542399, 1709164800, 1,         253402300799};
    (void)state;
    for (size_t i = 0; i < sizeof(TIMES) / sizeof(TIMES[0]); i++) {
        char want[64];
        char got[64];
        time_t time_s = (time_t)TIMES[i];
        struct tm parts;
        int64_t back;
        gmtime_r(&time_s, &parts);
        strftime(want, sizeof(want), "%Y%m%dT%H%M%SZ", &parts);
        s3_time_format_amz(TIMES[i], got);
        assert_string_equal(got, want);
        assert_true(s3_time_parse_amz(bytes_text(got), &back));
        assert_int_equal(back, TIMES[i]);
        strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        s3_time_format_http(TIMES[i], got);
        assert_string_equal(got, want);
        assert_true(s3_time_parse_http(bytes_text(got), &back));
        assert_int_equal(back, TIMES[i]);
        s3_time_format_iso(TIMES[i] * 1000 + 7, got);
        assert_true(s3_time_parse_iso(bytes_text(got), &back));
        assert_int_equal(back, TIMES[i] * 1000 + 7);
    }
}

static void every_day_of_two_centuries_comes_back(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 200 * 366; day++) {
        char text[64];
        int64_t back;
        s3_time_format_http(day * 86400, text);
        assert_true(s3_time_parse_http(bytes_text(text), &back));
        assert_int_equal(back, day * 86400);
    }
}

static void obsolete_http_dates_are_read(void **state)
{
    int64_t time_s;
    (void)state;
    assert_true(s3_time_parse_http(bytes_text("Sunday, 06-Nov-94 08:49:37 GMT"), &time_s));
    assert_int_equal(time_s, 784111777);
    assert_true(s3_time_parse_http(bytes_text("Sun Nov  6 08:49:37 1994"), &time_s));
    assert_int_equal(time_s, 784111777);
    assert_true(s3_time_parse_iso(bytes_text("2013-05-24T00:00:00Z"), &time_s));
    assert_int_equal(time_s, 1369353600000);
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const AMZ[] = {
        "",
        "20130524T000000",
        "20130524T000000Zx",
        "20131324T000000Z",
        "20130230T000000Z",
        "20130524 000000Z",
        "19691231T235959Z",
        "20130524T240000Z",
        "2013052aT000000Z",
    };
    static const char *const HTTP[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Foo 1994 08:49:37 GMT",
    };
    static const char *const ISO[] = {
        "2013-05-24T00:00:00", "2013-05-24T00:00:00.Z", "2013-05-24", "2013-05-24T00:00:00.1"};
    int64_t time_s;
    (void)state;
    for (size_t i = 0; i < sizeof(AMZ) / sizeof(AMZ[0]); i++) {
        assert_false(s3_time_parse_amz(bytes_text(AMZ[i]), &time_s));
    }
    for (size_t i = 0; i < sizeof(HTTP) / sizeof(HTTP[0]); i++) {
        assert_false(s3_time_parse_http(bytes_text(HTTP[i]), &time_s));
    }
    for (size_t i = 0; i < sizeof(ISO) / sizeof(ISO[0]); i++) {
        assert_false(s3_time_parse_iso(bytes_text(ISO[i]), &time_s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_agree_with_the_library),
        cmocka_unit_test(every_day_of_two_centuries_comes_back),
        cmocka_unit_test(obsolete_http_dates_are_read),
        cmocka_unit_test(what_is_no_time_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
