#include "cli/doctor.h"

#include "lib/base/check.h"
#include "lib/version/version.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DATE_SIZE = 32 };

static const char *const state_names[DOCTOR_STATES] = {"ok", "warn", "fail"};
static const char *const state_words[DOCTOR_STATES] = {"ok  ", "WARN", "FAIL"};

void doctor_init(struct doctor *doctor, struct cli *cli)
{
    *doctor = (struct doctor){.cli = cli, .findings = cJSON_CreateArray()};
    CHECK(doctor->findings != NULL);
}

/* What peers and files say may hold anything: a terminal gets printable characters only. */
static char *printable(struct doctor *doctor, const char *text)
{
    char *copy = arena_text(&doctor->cli->arena, bytes_text(text));
    CHECK(copy != NULL);
    for (char *at = copy; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == 0x7f) {
            *at = '?';
        }
    }
    return copy;
}

void doctor_run(
    struct doctor *doctor, const char *subject, const struct doctor_check *checks, void *context)
{
    subject = printable(doctor, subject);
    if (!doctor->cli->is_json &&
        (doctor->subject == NULL || strcmp(doctor->subject, subject) != 0)) {
        printf("%s\n", subject);
    }
    doctor->subject = subject;
    for (const struct doctor_check *check = checks; check->name != NULL; check++) {
        doctor->check = check->name;
        check->run(doctor, context);
    }
}

static void
add(struct doctor *doctor, enum doctor_state state, const char *advice, const char *found)
{
    CHECK(found != NULL);
    found = printable(doctor, found);
    advice = state != DOCTOR_OK ? printable(doctor, advice) : NULL;
    cJSON *finding = cJSON_CreateObject();
    CHECK(finding != NULL && cJSON_AddItemToArray(doctor->findings, finding));
    cJSON_AddStringToObject(finding, "subject", doctor->subject);
    cJSON_AddStringToObject(finding, "check", doctor->check);
    cJSON_AddStringToObject(finding, "state", state_names[state]);
    cJSON_AddStringToObject(finding, "found", found);
    if (state != DOCTOR_OK) {
        cJSON_AddStringToObject(finding, "advice", advice);
    }
    doctor->counts[state]++;
    if (doctor->cli->is_json) {
        return;
    }
    printf("  %s  %-13s %s\n", state_words[state], doctor->check, found);
    if (state != DOCTOR_OK) {
        printf("  %19s -> %s\n", "", advice);
    }
}

__attribute__((format(printf, 2, 0))) static char *
print(struct doctor *doctor, const char *format, va_list arguments)
{
    va_list copy;
    va_copy(copy, arguments);
    int size = vsnprintf(NULL, 0, format, copy);
    va_end(copy);
    CHECK(size >= 0);
    char *found = arena_alloc(&doctor->cli->arena, (size_t)size + 1);
    if (found != NULL) {
        vsnprintf(found, (size_t)size + 1, format, arguments);
    }
    return found;
}

void doctor_ok(struct doctor *doctor, const char *found, ...)
{
    va_list arguments;
    va_start(arguments, found);
    add(doctor, DOCTOR_OK, NULL, print(doctor, found, arguments));
    va_end(arguments);
}

void doctor_warn(struct doctor *doctor, const char *advice, const char *found, ...)
{
    va_list arguments;
    va_start(arguments, found);
    add(doctor, DOCTOR_WARN, advice, print(doctor, found, arguments));
    va_end(arguments);
}

void doctor_fail(struct doctor *doctor, const char *advice, const char *found, ...)
{
    va_list arguments;
    va_start(arguments, found);
    add(doctor, DOCTOR_FAIL, advice, print(doctor, found, arguments));
    va_end(arguments);
}

void doctor_tell(
    struct doctor *doctor, enum doctor_state state, const char *advice, const char *found, ...)
{
    va_list arguments;
    va_start(arguments, found);
    add(doctor, state, advice, print(doctor, found, arguments));
    va_end(arguments);
}

int doctor_finish(struct doctor *doctor)
{
    unsigned failures = doctor->counts[DOCTOR_FAIL];
    if (doctor->cli->is_json) {
        cJSON *result = cJSON_CreateObject();
        cJSON_AddStringToObject(result, "version", TRIAD_VERSION);
        cJSON_AddNumberToObject(result, "ok", doctor->counts[DOCTOR_OK]);
        cJSON_AddNumberToObject(result, "warnings", doctor->counts[DOCTOR_WARN]);
        cJSON_AddNumberToObject(result, "failures", failures);
        cJSON_AddItemToObject(result, "findings", doctor->findings);
        IGNORE(cli_print(doctor->cli, result)); /* Always 0. */
    } else {
        printf(
            "%u ok, %u warnings, %u failures\n", doctor->counts[DOCTOR_OK],
            doctor->counts[DOCTOR_WARN], failures);
        cJSON_Delete(doctor->findings);
    }
    doctor->findings = NULL;
    return failures > 0 ? 1 : 0;
}

const char *doctor_date(struct doctor *doctor, int64_t unix_s)
{
    char text[DATE_SIZE] = "?";
    time_t time = unix_s;
    struct tm tm;
    if (gmtime_r(&time, &tm) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%d", &tm);
    }
    char *date = arena_text(&doctor->cli->arena, bytes_text(text));
    CHECK(date != NULL);
    return date;
}

const char *doctor_why(struct doctor *doctor, struct status status)
{
    /* The literal is "file:line: what": an operator wants what. */
    const char *what = status.where == NULL ? status_text(status.code) : status.where;
    for (int colons = 0; colons < 2 && strchr(what, ':') != NULL; colons++) {
        what = strchr(what, ':') + 1;
    }
    what += strspn(what, " ");
    const char *text =
        status.cause == 0
            ? what
            : arena_printf(&doctor->cli->arena, "%s: %s", what, strerrordesc_np(status.cause));
    CHECK(text != NULL);
    return text;
}
