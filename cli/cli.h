#pragma once

/*
 * One run of the `triad` command: which command, its option values, how to print.
 *
 * A command is a row of a table (cli_commands.c): words, options and a function. The options are
 * checked before the function runs, so that it may rely on mandatory ones.
 */

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <cjson/cJSON.h>

enum { CLI_OPTIONS_MAX = 16, CLI_VALUES_MAX = 64 };

enum cli_option_flags { CLI_MANDATORY = 1, CLI_REPEATED = 2, CLI_FLAG = 4 };

struct cli_option {
    const char *name; /* Without the dashes. NULL ends a list. */
    const char *value;
    unsigned flags;
    const char *help;
};

struct cli;

/* 0 or an exit code; errors were printed with cli_fail. */
typedef int cli_command_fn(struct cli *cli);

struct cli_command {
    const char *words; /* "cert add" */
    const char *summary;
    const char *description;
    cli_command_fn *run;
    struct cli_option options[CLI_OPTIONS_MAX];
};

struct cli_value {
    const char *name;
    const char *text;
};

struct cli {
    const struct cli_command *command;
    struct cli_value values[CLI_VALUES_MAX];
    size_t values_count;
    bool is_json;
    struct arena arena;
};

/* The value of an option, or NULL. */
const char *cli_text(const struct cli *cli, const char *name);
/* Value number index of a repeated option, or NULL. */
const char *cli_text_at(const struct cli *cli, const char *name, size_t index);
bool cli_flag(const struct cli *cli, const char *name);

/* Print "triad: <command>: <what>: <status>" on stderr and return 1. */
int cli_fail(const struct cli *cli, const char *what, struct status status);
/* Print a sentence after the command's name and return 1. */
int cli_fail_text(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print a result: with --json the object as one document, else its fields, one a line, arrays as
 * tables. Takes the object. Returns 0. */
int cli_print(const struct cli *cli, cJSON *take_object);

/* A lower-case hexadecimal copy in the arena. */
const char *cli_hex(struct cli *cli, struct bytes bytes);
