#include "lib/telemetry/log.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, LINE_TAIL = 32, NAME_SIZE = 32, REQUEST_SIZE = 32 };

/* One line under construction. A field that does not fit whole is left out and said to be. */
struct line {
    char text[LINE_SIZE];
    size_t size;
    bool is_cut;
};

static char daemon_name[NAME_SIZE] = "triad";
static enum log_level lowest_level = LOG_INFO;
static _Thread_local char request_id[REQUEST_SIZE];

static void copy_text(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = '\0';
}

void log_setup(const char *daemon, enum log_level lowest)
{
    copy_text(daemon_name, sizeof(daemon_name), daemon);
    lowest_level = lowest;
}

struct status log_setup_named(const char *daemon, const char *lowest)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(lowest, names[i]) == 0) {
            log_setup(daemon, (enum log_level)i);
            return OK;
        }
    }
    return FAIL(INVALID, "log_level is none of debug, info, warn, error");
}

void log_set_request(const char *id)
{
    copy_text(request_id, sizeof(request_id), id);
}

const char *log_request(void)
{
    return request_id;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARN:
        return "warn";
    case LOG_ERROR:
        return "error";
    }
    return "?";
}

__attribute__((format(printf, 2, 3))) static void
add_format(struct line *line, const char *format, ...)
{
    size_t room = LINE_SIZE - LINE_TAIL - line->size;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->size, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room) {
        line->is_cut = true;
        return;
    }
    line->size += (size_t)length;
}

/* What is not printable ASCII is escaped byte by byte, so that a line is valid whatever a peer
 * sent. */
static void add_quoted(struct line *line, struct bytes bytes)
{
    add_format(line, "\"");
    for (size_t i = 0; i < bytes.size && !line->is_cut; i++) {
        unsigned char c = bytes.data[i];
        if (c == '"' || c == '\\') {
            add_format(line, "\\%c", c);
        } else if (c < 0x20 || c > 0x7e) {
            add_format(line, "\\u%04x", c);
        } else {
            add_format(line, "%c", c);
        }
    }
    add_format(line, "\"");
}

static void add_hex(struct line *line, struct bytes bytes)
{
    add_format(line, "\"");
    for (size_t i = 0; i < bytes.size && !line->is_cut; i++) {
        add_format(line, "%02x", bytes.data[i]);
    }
    add_format(line, "\"");
}

static void add_status(struct line *line, struct status status)
{
    add_format(line, "\"%s\"", status_name(status.code));
    if (status.where != NULL) {
        add_format(line, ",\"where\":");
        add_quoted(line, bytes_text(status.where));
    }
    if (status.cause != 0) {
        add_format(line, ",\"errno\":%d", status.cause);
    }
}

static void add_field(struct line *line, const struct log_field *field)
{
    size_t before = line->size;
    bool was_cut = line->is_cut;
    line->is_cut = false;

    add_format(line, ",\"%s\":", field->name);
    switch (field->kind) {
    case LOG_KIND_TEXT:
        add_quoted(line, field->bytes);
        break;
    case LOG_KIND_INT:
        add_format(line, "%" PRId64, field->number);
        break;
    case LOG_KIND_HEX:
        add_hex(line, field->bytes);
        break;
    case LOG_KIND_STATUS:
        add_status(line, field->status);
        break;
    }

    if (line->is_cut) {
        line->size = before;
    }
    line->is_cut = line->is_cut || was_cut;
}

static void add_time(struct line *line)
{
    int64_t now_ms = clock_wall_ms();
    time_t now_s = (time_t)(now_ms / 1000);
    struct tm parts;
    char text[32] = "";
    if (gmtime_r(&now_s, &parts) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    }
    add_format(line, "{\"time\":\"%s.%03dZ\"", text, (int)(now_ms % 1000));
}

void log_write(
    enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    CHECK(count >= 1);
    if (level < lowest_level) {
        return;
    }

    struct line line = {.size = 0};
    add_time(&line);
    add_format(&line, ",\"level\":\"%s\"", level_name(level));
    add_field(&line, &LOG_TEXT("daemon", daemon_name));
    add_field(&line, &LOG_TEXT("event", event));
    if (request_id[0] != '\0') {
        add_field(&line, &LOG_TEXT("request", request_id));
    }
    for (size_t i = 1; i < count; i++) {
        add_field(&line, &fields[i]);
    }

    /* LINE_TAIL keeps the room for this. */
    const char *tail = line.is_cut ? ",\"cut\":true}\n" : "}\n";
    memcpy(line.text + line.size, tail, strlen(tail));
    line.size += strlen(tail);
    /* One write a line, so that threads do not mix; there is nobody to tell that it failed. */
    IGNORE(write(STDERR_FILENO, line.text, line.size));
}
