/* The `triad` command: finds the command's row, checks its options, runs it. */

#include "cli/cli.h"
#include "cli/cli_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, ARENA_MAX = 16 * 1024 * 1024 };

static int help_all(FILE *to)
{
    fputs(
        "usage: triad COMMAND [--option VALUE]...\n\n"
        "Operates a Triad cluster. Commands that talk to daemons read --config FILE\n"
        "(by default ~/.triad/triad.conf). Each takes --json and --help.\n\n",
        to);
    for (const struct cli_command *command = cli_commands; command->words != NULL; command++) {
        fprintf(to, "  triad %-16s %s\n", command->words, command->summary);
    }
    return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int help_command(const struct cli_command *command)
{
    printf("usage: triad %s", command->words);
    for (const struct cli_option *o = command->options; o->name != NULL; o++) {
        const char *open = o->flags & CLI_MANDATORY ? "" : "[";
        const char *close = o->flags & CLI_MANDATORY ? "" : "]";
        printf(
            " %s--%s%s%s%s%s", open, o->name, o->value != NULL ? " " : "",
            o->value != NULL ? o->value : "", close, o->flags & CLI_REPEATED ? "..." : "");
    }
    printf(" [--json]\n\n%s\n\n", command->description);
    for (const struct cli_option *o = command->options; o->name != NULL; o++) {
        printf("  --%-16s %s\n", o->name, o->help);
    }
    return EXIT_SUCCESS;
}

/* The command whose words begin the arguments; *ret_words is how many. */
static const struct cli_command *find_command(int argc, char **argv, int *ret_words)
{
    char words[64] = "";
    for (int count = 1; count < argc && count <= 2; count++) {
        size_t used = strlen(words);
        int n =
            snprintf(words + used, sizeof(words) - used, "%s%s", count > 1 ? " " : "", argv[count]);
        if (n < 0 || (size_t)n >= sizeof(words) - used) {
            return NULL;
        }
        for (const struct cli_command *command = cli_commands; command->words != NULL; command++) {
            if (strcmp(command->words, words) == 0) {
                *ret_words = count;
                return command;
            }
        }
    }
    return NULL;
}

static const struct cli_option *find_option(const struct cli_command *command, const char *name)
{
    for (const struct cli_option *o = command->options; o->name != NULL; o++) {
        if (strcmp(o->name, name) == 0) {
            return o;
        }
    }
    return NULL;
}

/* Take one option from argv[*at] on; 0, or an exit code. */
static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
    const char *argument = argv[*at];
    if (strncmp(argument, "--", 2) != 0) {
        fprintf(stderr, "triad: %s: unexpected argument %s\n", cli->command->words, argument);
        return EXIT_USAGE;
    }
    const char *name = argument + 2;
    if (strcmp(name, "json") == 0) {
        cli->is_json = true;
        return 0;
    }
    const struct cli_option *option = find_option(cli->command, name);
    if (option == NULL) {
        fprintf(stderr, "triad: %s: unknown option %s\n", cli->command->words, argument);
        return EXIT_USAGE;
    }
    if (!(option->flags & CLI_REPEATED) && cli_text(cli, name) != NULL) {
        fprintf(stderr, "triad: %s: %s is given twice\n", cli->command->words, argument);
        return EXIT_USAGE;
    }
    const char *text = "";
    if (!(option->flags & CLI_FLAG)) {
        if (*at + 1 >= argc) {
            fprintf(stderr, "triad: %s: %s wants a value\n", cli->command->words, argument);
            return EXIT_USAGE;
        }
        text = argv[++*at];
    }
    if (cli->values_count == CLI_VALUES_MAX) {
        fprintf(stderr, "triad: %s: too many options\n", cli->command->words);
        return EXIT_USAGE;
    }
    cli->values[cli->values_count++] = (struct cli_value){.name = option->name, .text = text};
    return 0;
}

static int check_mandatory(const struct cli *cli)
{
    for (const struct cli_option *o = cli->command->options; o->name != NULL; o++) {
        if (o->flags & CLI_MANDATORY && cli_text(cli, o->name) == NULL) {
            fprintf(
                stderr, "triad: %s: --%s is missing; see triad %s --help\n", cli->command->words,
                o->name, cli->command->words);
            return EXIT_USAGE;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    int words = 0;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        return help_all(argc < 2 ? stderr : stdout);
    }
    const struct cli_command *command = find_command(argc, argv, &words);
    if (command == NULL) {
        fprintf(stderr, "triad: no such command; see triad --help\n");
        return EXIT_USAGE;
    }
    struct cli cli = {.command = command};
    arena_init(&cli.arena, ARENA_MAX);
    for (int i = words + 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return help_command(command);
        }
        int code = take_option(&cli, argc, argv, &i);
        if (code != 0) {
            return code;
        }
    }
    int code = check_mandatory(&cli);
    if (code == 0) {
        code = command->run(&cli);
    }
    arena_wipe(&cli.arena);
    arena_done(&cli.arena);
    return code;
}
