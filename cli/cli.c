#include "cli/cli.h"

#include "lib/base/check.h"
#include "lib/base/hex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cli_text_at(const struct cli *cli, const char *name, size_t index)
{
    for (size_t i = 0; i < cli->values_count; i++) {
        if (strcmp(cli->values[i].name, name) == 0 && index-- == 0) {
            return cli->values[i].text;
        }
    }
    return NULL;
}

const char *cli_text(const struct cli *cli, const char *name)
{
    return cli_text_at(cli, name, 0);
}

bool cli_flag(const struct cli *cli, const char *name)
{
    return cli_text(cli, name) != NULL;
}

int cli_fail(const struct cli *cli, const char *what, struct status status)
{
    fprintf(
        stderr, "triad: %s: %s: %s (%s)%s%s\n", cli->command->words, what, status_text(status.code),
        status.where != NULL ? status.where : "-", status.cause != 0 ? ": " : "",
        status.cause != 0 ? strerrordesc_np(status.cause) : "");
    return 1;
}

int cli_fail_text(const struct cli *cli, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "triad: %s: ", cli->command->words);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return 1;
}

static void print_value(const cJSON *value)
{
    if (cJSON_IsString(value)) {
        fputs(value->valuestring, stdout);
        return;
    }
    if (cJSON_IsNumber(value)) {
        printf("%.0f", value->valuedouble);
        return;
    }
    if (cJSON_IsBool(value)) {
        fputs(cJSON_IsTrue(value) ? "yes" : "no", stdout);
        return;
    }
    char *text = cJSON_PrintUnformatted(value);
    fputs(text != NULL ? text : "?", stdout);
    cJSON_free(text);
}

/* One row a line: "name=value name=value". */
static void print_rows(const cJSON *array)
{
    const cJSON *row;
    cJSON_ArrayForEach(row, array)
    {
        const cJSON *field;
        const char *space = "  ";
        cJSON_ArrayForEach(field, row)
        {
            printf("%s%s=", space, field->string);
            print_value(field);
            space = " ";
        }
        fputc('\n', stdout);
    }
}

int cli_print(const struct cli *cli, cJSON *take_object)
{
    if (cli->is_json) {
        char *text = cJSON_Print(take_object);
        puts(text != NULL ? text : "{}");
        cJSON_free(text);
    } else {
        const cJSON *field;
        cJSON_ArrayForEach(field, take_object)
        {
            printf("%s: ", field->string);
            if (cJSON_IsArray(field)) {
                printf("%d\n", cJSON_GetArraySize(field));
                print_rows(field);
                continue;
            }
            print_value(field);
            fputc('\n', stdout);
        }
    }
    cJSON_Delete(take_object);
    return 0;
}

const char *cli_hex(struct cli *cli, struct bytes bytes)
{
    char *text = arena_alloc(&cli->arena, 2 * bytes.size + 1);
    CHECK(text != NULL);
    hex_encode(bytes, text);
    return text;
}
