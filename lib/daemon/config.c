#include "lib/daemon/config.h"

#include "lib/base/check.h"
#include "lib/base/file.h"
#include "lib/daemon/config_value.h"

#include <errno.h>
#include <fcntl.h>

enum { FILE_SIZE_MAX = 64 * 1024, SHOWN_MAX = 64 };

/* One parse under way. */
struct parse {
    const char *name; /* Of the file, for errors. */
    const struct config_option *options;
    size_t count;
    struct arena *arena;
    char *settings;
    struct buffer *error;
    unsigned *lines; /* Line that set each option; 0 for none. */
    unsigned line;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trim(struct bytes text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text = bytes_from(text, 1);
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* What the operator wrote, cut and without control characters. */
static void show(struct buffer *error, struct bytes text)
{
    for (size_t i = 0; i < text.size && i < SHOWN_MAX; i++) {
        uint8_t c = text.data[i];
        buffer_add_u8(error, c >= 0x20 && c < 0x7f ? c : '?');
    }
    if (text.size > SHOWN_MAX) {
        buffer_add_text(error, "...");
    }
}

static void begin_error(struct parse *parse, struct bytes key)
{
    buffer_printf(parse->error, "%s:%u: ", parse->name, parse->line);
    show(parse->error, key);
}

static struct status refuse(struct parse *parse, struct bytes key, const char *what)
{
    begin_error(parse, key);
    buffer_printf(parse->error, ": %s\n", what);
    return FAIL(INVALID, "configuration");
}

static struct status refuse_value(
    struct parse *parse, const struct config_option *option, struct bytes value, const char *what)
{
    begin_error(parse, bytes_text(option->name));
    buffer_add_text(parse->error, ": \"");
    show(parse->error, value);
    buffer_printf(parse->error, "\" %s\n", what);
    return FAIL(INVALID, "configuration");
}

/* A bound or default of the table, which the programmer wrote. */
static uint64_t table_number(const struct config_option *option, const char *text)
{
    uint64_t value = 0;
    CHECK(status_ok(config_value_parse(bytes_text(text), option->kind, &value)));
    return value;
}

static const char *expected(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_SIZE:
        return "is not a size such as 4096, 64KiB, 16MiB or 1GiB";
    case CONFIG_COUNT:
        return "is not a whole number";
    case CONFIG_DURATION:
        return "is not a duration such as 200ms, 5s, 10m, 1h or 7d";
    case CONFIG_FLAG:
        return "is neither true nor false";
    case CONFIG_TEXT:
        break;
    }
    return "is not allowed";
}

static struct status
set_number(struct parse *parse, const struct config_option *option, struct bytes text)
{
    uint64_t value = 0;
    if (!status_ok(config_value_parse(text, option->kind, &value))) {
        return refuse_value(parse, option, text, expected(option->kind));
    }
    bool is_low = option->min != NULL && value < table_number(option, option->min);
    bool is_high = option->max != NULL && value > table_number(option, option->max);
    if (is_low || is_high) {
        IGNORE(refuse_value(
            parse, option, text, is_low ? "is below the least value," : "is above the greatest,"));
        parse->error->size -= parse->error->size > 0 ? 1 : 0; /* The line goes on. */
        buffer_printf(parse->error, " %s\n", is_low ? option->min : option->max);
        return FAIL(INVALID, "configuration value out of bounds");
    }
    memcpy(parse->settings + option->offset, &value, sizeof(value));
    return OK;
}

static struct status
set_flag(struct parse *parse, const struct config_option *option, struct bytes text)
{
    bool value = bytes_equal(text, bytes_text("true"));
    if (!value && !bytes_equal(text, bytes_text("false"))) {
        return refuse_value(parse, option, text, expected(option->kind));
    }
    memcpy(parse->settings + option->offset, &value, sizeof(value));
    return OK;
}

static struct status
set_text(struct parse *parse, const struct config_option *option, struct bytes text)
{
    if (text.size == 0 && option->fallback == NULL) {
        return refuse(parse, bytes_text(option->name), "must not be empty");
    }
    const char *value = arena_text(parse->arena, text);
    if (value == NULL) {
        return FAIL(NO_MEMORY, "configuration text");
    }
    memcpy(parse->settings + option->offset, &value, sizeof(value));
    return OK;
}

static struct status
set_option(struct parse *parse, const struct config_option *option, struct bytes text)
{
    switch (option->kind) {
    case CONFIG_TEXT:
        return set_text(parse, option, text);
    case CONFIG_FLAG:
        return set_flag(parse, option, text);
    case CONFIG_SIZE:
    case CONFIG_COUNT:
    case CONFIG_DURATION:
        break;
    }
    return set_number(parse, option, text);
}

static struct status parse_line(struct parse *parse, struct bytes line)
{
    line = trim(line);
    if (line.size == 0 || line.data[0] == '#') {
        return OK;
    }
    const uint8_t *sign = memchr(line.data, '=', line.size);
    if (sign == NULL) {
        return refuse(parse, line, "is not of the form key = value");
    }
    size_t key_size = (size_t)(sign - line.data);
    struct bytes key = trim(bytes_of(line.data, key_size));
    struct bytes value = trim(bytes_from(line, key_size + 1));
    for (size_t i = 0; i < parse->count; i++) {
        if (!bytes_equal(key, bytes_text(parse->options[i].name))) {
            continue;
        }
        if (parse->lines[i] != 0) {
            begin_error(parse, key);
            buffer_printf(parse->error, ": is set again; first in line %u\n", parse->lines[i]);
            return FAIL(INVALID, "configuration");
        }
        parse->lines[i] = parse->line;
        return set_option(parse, &parse->options[i], value);
    }
    return refuse(parse, key, "there is no such option");
}

static struct status parse_lines(struct parse *parse, struct bytes text)
{
    while (text.size > 0) {
        parse->line++;
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        TRY(parse_line(parse, bytes_of(text.data, size)));
        text = bytes_from(text, end == NULL ? size : size + 1);
    }
    return OK;
}

static struct status set_fallbacks(struct parse *parse)
{
    for (size_t i = 0; i < parse->count; i++) {
        const struct config_option *option = &parse->options[i];
        if (parse->lines[i] != 0) {
            continue;
        }
        if (option->fallback == NULL) {
            buffer_printf(
                parse->error, "%s: %s: must be set: %s\n", parse->name, option->name, option->help);
            return FAIL(INVALID, "configuration misses an option");
        }
        parse->line = 0;
        TRY(set_option(parse, option, bytes_text(option->fallback)));
    }
    return OK;
}

struct status config_parse(
    struct bytes text, const char *name, const struct config_option *options, size_t count,
    struct arena *arena, void *settings, struct buffer *error)
{
    struct parse parse = {
        .name = name,
        .options = options,
        .count = count,
        .arena = arena,
        .settings = settings,
        .error = error,
        .lines = arena_zalloc(arena, count + 1, sizeof(unsigned)),
    };
    if (parse.lines == NULL) {
        return FAIL(NO_MEMORY, "configuration");
    }
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        buffer_printf(error, "%s: is not a text file\n", name);
        return FAIL(INVALID, "configuration");
    }
    TRY(parse_lines(&parse, text));
    return set_fallbacks(&parse);
}

struct status config_load(
    const char *path, const struct config_option *options, size_t count, struct arena *arena,
    void *settings, struct buffer *error)
{
    BUFFER(text, FILE_SIZE_MAX);
    struct status status = file_read(AT_FDCWD, path, &text);
    if (!status_ok(status)) {
        const char *why =
            status.cause != 0 ? strerrordesc_np(status.cause) : status_text(status.code);
        buffer_printf(error, "%s: cannot be read: %s\n", path, why);
        return status;
    }
    return config_parse(buffer_bytes(&text), path, options, count, arena, settings, error);
}

static void
print_value(const struct config_option *option, const char *settings, struct buffer *text)
{
    const char *field = settings + option->offset;
    if (option->kind == CONFIG_TEXT) {
        const char *value;
        memcpy(&value, field, sizeof(value));
        buffer_add_text(text, value);
        return;
    }
    if (option->kind == CONFIG_FLAG) {
        bool value;
        memcpy(&value, field, sizeof(value));
        buffer_add_text(text, value ? "true" : "false");
        return;
    }
    uint64_t value;
    memcpy(&value, field, sizeof(value));
    config_value_print(option->kind, value, text);
}

void config_print(
    const struct config_option *options, size_t count, const void *settings, struct buffer *text)
{
    for (size_t i = 0; i < count; i++) {
        const struct config_option *option = &options[i];
        buffer_printf(text, "# %s", option->help);
        if (option->min != NULL || option->max != NULL) {
            buffer_printf(
                text, " (%s to %s)", option->min != NULL ? option->min : "any",
                option->max != NULL ? option->max : "any");
        }
        buffer_printf(text, "\n%s = ", option->name);
        print_value(option, settings, text);
        buffer_add_text(text, "\n\n");
    }
}
