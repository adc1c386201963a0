#include "keystore/keystore_commands.h"

#include "lib/base/file.h"

#include <stdio.h>

enum { SETTINGS_ARENA = 256 * 1024, ERROR_MAX = 16 * 1024, SECRET_HEAP = 1024 * 1024 };

static int fail(struct status status, const char *what)
{
    fprintf(
        stderr, "keystore: %s: %s (%s)\n", what, status_text(status.code),
        status.where == NULL ? "-" : status.where);
    return 1;
}

/* argv: the command's name, then --config FILE. */
static bool
load_settings(int argc, char **argv, struct arena *arena, struct keystore_settings *settings)
{
    BUFFER(error, ERROR_MAX);
    size_t count = 0;
    const struct config_option *options = keystore_settings_options(&count);

    if (argc != 3 || strcmp(argv[1], "--config") != 0) {
        fprintf(stderr, "usage: keystore %s --config FILE\n", argv[0]);
        return false;
    }
    struct status status = config_load(argv[2], options, count, arena, settings, &error);
    if (!status_ok(status)) {
        fprintf(stderr, "keystore: %.*s\n", (int)error.size, (const char *)error.data);
    }
    return status_ok(status);
}

static struct status init(const struct keystore_settings *settings)
{
    OWNED(secret) struct secret *slot_key = NULL;
    OWNED(fd) int dir_fd = -1;

    TRY(secret_heap_init(SECRET_HEAP, false));
    TRY(file_open_dir(settings->data_dir, true, &dir_fd));
    TRY(keystore_settings_check(settings));
    TRY(seal_read_key_file(settings->seal_key_file, true, &slot_key));
    return key_service_init(settings->data_dir, slot_key);
}

int keystore_commands_init(int argc, char **argv)
{
    ARENA(arena, SETTINGS_ARENA);
    struct keystore_settings settings;

    if (!load_settings(argc, argv, &arena, &settings)) {
        return 2;
    }
    struct status status = init(&settings);
    if (status.code == STATUS_EXISTS) {
        fprintf(stderr, "keystore: %s is initialised already\n", settings.data_dir);
        return 0;
    }
    if (!status_ok(status)) {
        return fail(status, "init");
    }
    printf(
        "Vaults made in %s, sealed with %s.\n"
        "Keep a copy of that file off this machine: without it nothing here opens again.\n"
        "Next: start the key store, then run triad pki delegate.\n",
        settings.data_dir, settings.seal_key_file);
    return 0;
}

int keystore_commands_audit(int argc, char **argv)
{
    ARENA(arena, SETTINGS_ARENA);
    struct keystore_settings settings;
    OWNED(audit) struct audit *audit = NULL;
    char path[4096];
    bool is_broken = false;

    if (!load_settings(argc, argv, &arena, &settings)) {
        return 2;
    }
    snprintf(path, sizeof(path), "%s/audit", settings.data_dir);
    struct status status = audit_open(path, &audit, &is_broken);
    if (!status_ok(status)) {
        return fail(status, "audit log");
    }
    printf(
        "%llu records, chain %s\n", (unsigned long long)audit_records(audit),
        is_broken ? "BROKEN" : "whole");
    return is_broken ? 3 : 0;
}
