#include "cli/doctor_target.h"

#include "lib/base/check.h"
#include "lib/base/file.h"

#include <fcntl.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024, ERROR_MAX = 4096 };

static const char *sentence(struct cli *cli, struct buffer *error)
{
    while (error->size > 0 && error->data[error->size - 1] == '\n') {
        error->size--;
    }
    const char *text = arena_text(&cli->arena, buffer_bytes(error));
    CHECK(text != NULL);
    return text;
}

void doctor_target_load(
    struct cli *cli, const char *path, const struct doctor_role *role, struct doctor_target *target)
{
    *target = (struct doctor_target){.role = role, .path = path};
    BUFFER(text, FILE_MAX);
    BUFFER(error, ERROR_MAX);
    struct status status = file_read(AT_FDCWD, path, &text);
    if (!status_ok(status)) {
        buffer_printf(
            &error, "%s cannot be read: %s", path,
            status.cause != 0 ? strerrordesc_np(status.cause) : status_text(status.code));
        target->error = sentence(cli, &error);
        return;
    }
    if (role == NULL) {
        target->role = role = doctor_role_guess(buffer_bytes(&text), path);
    }
    if (role == NULL) {
        target->error = "whose configuration it is cannot be told from its keys: give --role";
        return;
    }
    void *settings = arena_zalloc(&cli->arena, 1, role->settings_size);
    CHECK(settings != NULL);
    if (!status_ok(config_parse(
            buffer_bytes(&text), path, role->options, role->options_count, &cli->arena, settings,
            &error))) {
        target->error = sentence(cli, &error);
        return;
    }
    target->settings = settings;
}

static const struct config_option *find(const struct doctor_target *target, const char *name)
{
    for (size_t i = 0; target->settings != NULL && i < target->role->options_count; i++) {
        if (strcmp(target->role->options[i].name, name) == 0) {
            return &target->role->options[i];
        }
    }
    return NULL;
}

const char *doctor_target_text(const struct doctor_target *target, const char *name)
{
    const struct config_option *option = find(target, name);
    if (option == NULL || option->kind != CONFIG_TEXT) {
        return NULL;
    }
    const char *text;
    memcpy(&text, (const char *)target->settings + option->offset, sizeof(text));
    return text[0] == '\0' ? NULL : text;
}

uint64_t
doctor_target_number(const struct doctor_target *target, const char *name, uint64_t fallback)
{
    const struct config_option *option = find(target, name);
    if (option == NULL || option->kind == CONFIG_TEXT || option->kind == CONFIG_FLAG) {
        return fallback;
    }
    uint64_t number;
    memcpy(&number, (const char *)target->settings + option->offset, sizeof(number));
    return number;
}
