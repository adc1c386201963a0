#pragma once

/*
 * A daemon's configuration: "key = value" lines, checked against a table of options.
 *
 * A daemon lists its options once in <daemon>.def:
 *     OPTION(data_dir, TEXT, NULL, NULL, NULL, "directory of the store")
 *     OPTION(segment_size, SIZE, "64MiB", "1MiB", "4GiB", "bytes of one segment")
 * and makes from it a struct and a table with the macros below. Kinds: TEXT (const char *), SIZE,
 * COUNT, DURATION (ms: "5s", "10m", "200ms", "1h", "7d") (all uint64_t), FLAG (bool: true, false).
 * A default of NULL makes the option mandatory. An unknown or repeated key, or a value out of
 * bounds, is an error that names file, line, key and bound. Secrets are named files, never values.
 */

#include "lib/base/arena.h"
#include "lib/base/buffer.h"
#include "lib/base/status.h"

enum config_kind { CONFIG_TEXT, CONFIG_SIZE, CONFIG_COUNT, CONFIG_DURATION, CONFIG_FLAG };

struct config_option {
    const char *name;
    enum config_kind kind;
    size_t offset; /* Of the field in the daemon's struct. */
    const char *fallback;
    const char *min;
    const char *max;
    const char *help;
};

#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_SIZE uint64_t
#define CONFIG_TYPE_COUNT uint64_t
#define CONFIG_TYPE_DURATION uint64_t
#define CONFIG_TYPE_FLAG bool
/* #define OPTION CONFIG_FIELD inside the struct, OPTION CONFIG_ROW(struct x, ...) in the table. */
#define CONFIG_FIELD(name, kind, fallback, min, max, help) CONFIG_TYPE_##kind name;
#define CONFIG_ROW(type, name_, kind_, fallback_, min_, max_, help_)                               \
    {.name = #name_,                                                                               \
     .kind = CONFIG_##kind_,                                                                       \
     .offset = offsetof(type, name_),                                                              \
     .fallback = (fallback_),                                                                      \
     .min = (min_),                                                                                \
     .max = (max_),                                                                                \
     .help = (help_)},

/*
 * Fill settings (a struct made from the table) from a file; texts live in arena. On failure a
 * sentence for the operator is appended to error.
 */
MUST_CHECK struct status config_load(
    const char *path, const struct config_option *options, size_t count, struct arena *arena,
    void *settings, struct buffer *error);

/* The same from text, for tests and fuzzing; name stands for the file in errors. */
MUST_CHECK struct status config_parse(
    struct bytes text, const char *name, const struct config_option *options, size_t count,
    struct arena *arena, void *settings, struct buffer *error);

/* Append every option with its value in force and its help: --print-config. */
void config_print(
    const struct config_option *options, size_t count, const void *settings, struct buffer *text);
