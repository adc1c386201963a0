#include "lib/s3/s3_time.h"

#include <stdio.h>

static const char DAYS[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char *const LONG_DAYS[7] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                         "Monday",   "Tuesday", "Wednesday"};
static const char MONTHS[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const int64_t TIME_MAX_S = 253402300799; /* 9999-12-31T23:59:59Z */

struct civil {
    int64_t year;
    int64_t month; /* 1 to 12 */
    int64_t day;   /* 1 to 31 */
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t days; /* Since 1970-01-01, a Thursday. */
};

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int64_t LENGTHS[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return LENGTHS[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days from 1970-01-01 to the first of January of a year from 1970 on. */
static int64_t days_before_year(int64_t year)
{
    int64_t past = year - 1;
    int64_t leaps = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    return (year - 1970) * 365 + leaps;
}

static struct civil civil_of(int64_t time_s)
{
    time_s = time_s < 0 ? 0 : time_s;
    time_s = time_s > TIME_MAX_S ? TIME_MAX_S : time_s;
    int64_t days = time_s / 86400;
    int64_t rest = time_s % 86400;
    int64_t year = 1970 + days / 366;
    while (days_before_year(year + 1) <= days) {
        year++;
    }
    int64_t left = days - days_before_year(year);
    int64_t month = 1;
    while (left >= days_of_month(year, month)) {
        left -= days_of_month(year, month);
        month++;
    }
    return (struct civil){
        .year = year,
        .month = month,
        .day = left + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
        .days = days,
    };
}

/* False for a date that does not exist. A leap second is taken for the second before it. */
static bool time_of(struct civil *civil, int64_t *ret_time_s)
{
    if (civil->year < 1970 || civil->year > 9999 || civil->month < 1 || civil->month > 12 ||
        civil->day < 1 || civil->day > days_of_month(civil->year, civil->month) ||
        civil->hour > 23 || civil->minute > 59 || civil->second > 60) {
        return false;
    }
    int64_t days = days_before_year(civil->year) + civil->day - 1;
    for (int64_t month = 1; month < civil->month; month++) {
        days += days_of_month(civil->year, month);
    }
    int64_t second = civil->second == 60 ? 59 : civil->second;
    civil->days = days;
    *ret_time_s = days * 86400 + civil->hour * 3600 + civil->minute * 60 + second;
    return true;
}

/* snprintf cannot know that the numbers are small, so it writes where any would fit. */
#define FORMAT_CIVIL(text, size, ...)                                                              \
    do {                                                                                           \
        char wide_[160];                                                                           \
        snprintf(wide_, sizeof(wide_), __VA_ARGS__);                                               \
        memcpy((text), wide_, (size));                                                             \
        (text)[size] = '\0';                                                                       \
    } while (0)

void s3_time_format_amz(int64_t time_s, char text[S3_TIME_AMZ_SIZE + 1])
{
    struct civil at = civil_of(time_s);
    FORMAT_CIVIL(
        text, S3_TIME_AMZ_SIZE, "%04d%02d%02dT%02d%02d%02dZ", (int)at.year, (int)at.month,
        (int)at.day, (int)at.hour, (int)at.minute, (int)at.second);
}

void s3_time_format_iso(int64_t time_ms, char text[S3_TIME_ISO_SIZE + 1])
{
    time_ms = time_ms < 0 ? 0 : time_ms;
    struct civil at = civil_of(time_ms / 1000);
    FORMAT_CIVIL(
        text, S3_TIME_ISO_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)at.year, (int)at.month,
        (int)at.day, (int)at.hour, (int)at.minute, (int)at.second, (int)(time_ms % 1000));
}

void s3_time_format_http(int64_t time_s, char text[S3_TIME_HTTP_SIZE + 1])
{
    struct civil at = civil_of(time_s);
    FORMAT_CIVIL(
        text, S3_TIME_HTTP_SIZE, "%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[at.days % 7],
        (int)at.day, MONTHS[at.month - 1], (int)at.year, (int)at.hour, (int)at.minute,
        (int)at.second);
}

/* A text being read; once something did not fit it stays failed. */
struct scan {
    struct bytes rest;
    bool failed;
};

static int64_t scan_number(struct scan *scan, size_t digits)
{
    int64_t number = 0;
    if (scan->failed || scan->rest.size < digits) {
        scan->failed = true;
        return 0;
    }
    for (size_t i = 0; i < digits; i++) {
        uint8_t byte = scan->rest.data[i];
        if (byte < '0' || byte > '9') {
            scan->failed = true;
            return 0;
        }
        number = number * 10 + (byte - '0');
    }
    scan->rest = bytes_from(scan->rest, digits);
    return number;
}

static bool scan_try(struct scan *scan, const char *text)
{
    struct bytes want = bytes_text(text);
    if (scan->failed || !bytes_starts_with(scan->rest, want)) {
        return false;
    }
    scan->rest = bytes_from(scan->rest, want.size);
    return true;
}

static void scan_text(struct scan *scan, const char *text)
{
    if (!scan_try(scan, text)) {
        scan->failed = true;
    }
}

static int64_t scan_month(struct scan *scan)
{
    for (int64_t month = 0; month < 12; month++) {
        if (scan_try(scan, MONTHS[month])) {
            return month + 1;
        }
    }
    scan->failed = true;
    return 0;
}

static void scan_clock(struct scan *scan, struct civil *civil, const char *separator)
{
    civil->hour = scan_number(scan, 2);
    scan_text(scan, separator);
    civil->minute = scan_number(scan, 2);
    scan_text(scan, separator);
    civil->second = scan_number(scan, 2);
}

static bool scan_finish(const struct scan *scan)
{
    return !scan->failed && scan->rest.size == 0;
}

bool s3_time_parse_amz(struct bytes text, int64_t *ret_time_s)
{
    struct scan scan = {.rest = text};
    struct civil civil = {.year = scan_number(&scan, 4)};
    civil.month = scan_number(&scan, 2);
    civil.day = scan_number(&scan, 2);
    scan_text(&scan, "T");
    scan_clock(&scan, &civil, "");
    scan_text(&scan, "Z");
    return scan_finish(&scan) && time_of(&civil, ret_time_s);
}

bool s3_time_parse_iso(struct bytes text, int64_t *ret_time_ms)
{
    struct scan scan = {.rest = text};
    struct civil civil = {.year = scan_number(&scan, 4)};
    scan_text(&scan, "-");
    civil.month = scan_number(&scan, 2);
    scan_text(&scan, "-");
    civil.day = scan_number(&scan, 2);
    scan_text(&scan, "T");
    scan_clock(&scan, &civil, ":");
    int64_t ms = 0;
    if (scan_try(&scan, ".")) {
        int64_t unit = 100;
        size_t digits = 0;
        while (!scan.failed && !scan_try(&scan, "Z")) {
            ms += scan_number(&scan, 1) * unit;
            unit /= 10;
            digits++;
        }
        scan.failed = scan.failed || digits == 0;
    } else {
        scan_text(&scan, "Z");
    }
    int64_t time_s;
    if (!scan_finish(&scan) || !time_of(&civil, &time_s)) {
        return false;
    }
    *ret_time_ms = time_s * 1000 + ms;
    return true;
}

/* Fri, 24 May 2013 00:00:00 GMT */
static bool parse_imf(struct bytes text, struct civil *civil, const char **ret_day)
{
    struct scan scan = {.rest = text};
    for (size_t i = 0; i < 7 && *ret_day == NULL; i++) {
        *ret_day = scan_try(&scan, DAYS[i]) ? DAYS[i] : NULL;
    }
    scan_text(&scan, ", ");
    civil->day = scan_number(&scan, 2);
    scan_text(&scan, " ");
    civil->month = scan_month(&scan);
    scan_text(&scan, " ");
    civil->year = scan_number(&scan, 4);
    scan_text(&scan, " ");
    scan_clock(&scan, civil, ":");
    scan_text(&scan, " GMT");
    return scan_finish(&scan) && *ret_day != NULL;
}

/* Friday, 24-May-13 00:00:00 GMT; years up to 69 are in this century. */
static bool parse_rfc850(struct bytes text, struct civil *civil, const char **ret_day)
{
    struct scan scan = {.rest = text};
    for (size_t i = 0; i < 7 && *ret_day == NULL; i++) {
        *ret_day = scan_try(&scan, LONG_DAYS[i]) ? DAYS[i] : NULL;
    }
    scan_text(&scan, ", ");
    civil->day = scan_number(&scan, 2);
    scan_text(&scan, "-");
    civil->month = scan_month(&scan);
    scan_text(&scan, "-");
    civil->year = scan_number(&scan, 2);
    civil->year += civil->year < 70 ? 2000 : 1900;
    scan_text(&scan, " ");
    scan_clock(&scan, civil, ":");
    scan_text(&scan, " GMT");
    return scan_finish(&scan) && *ret_day != NULL;
}

/* Fri May 24 00:00:00 2013; a day below ten has a space for its first digit. */
static bool parse_asctime(struct bytes text, struct civil *civil, const char **ret_day)
{
    struct scan scan = {.rest = text};
    for (size_t i = 0; i < 7 && *ret_day == NULL; i++) {
        *ret_day = scan_try(&scan, DAYS[i]) ? DAYS[i] : NULL;
    }
    scan_text(&scan, " ");
    civil->month = scan_month(&scan);
    scan_text(&scan, " ");
    civil->day = scan_number(&scan, scan_try(&scan, " ") ? 1 : 2);
    scan_text(&scan, " ");
    scan_clock(&scan, civil, ":");
    scan_text(&scan, " ");
    civil->year = scan_number(&scan, 4);
    return scan_finish(&scan) && *ret_day != NULL;
}

typedef bool parse_fn(struct bytes text, struct civil *civil, const char **ret_day);

bool s3_time_parse_http(struct bytes text, int64_t *ret_time_s)
{
    static parse_fn *const FORMS[] = {parse_imf, parse_rfc850, parse_asctime};
    for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
        struct civil civil = {.year = 0};
        const char *day = NULL;
        int64_t time_s;
        if (FORMS[i](text, &civil, &day) && time_of(&civil, &time_s) &&
            strcmp(DAYS[civil.days % 7], day) == 0) {
            *ret_time_s = time_s;
            return true;
        }
    }
    return false;
}
