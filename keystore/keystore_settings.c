#include "keystore/keystore_settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct config_option options[] = {
#define OPTION(...) CONFIG_ROW(struct keystore_settings, __VA_ARGS__)
#include "keystore/keystore.def"
#undef OPTION
};

const struct config_option *keystore_settings_options(size_t *ret_count)
{
    *ret_count = sizeof(options) / sizeof(options[0]);
    return options;
}

/* The real path, or of the directory it would lie in; false if neither is there. */
static bool real_path(const char *path, char resolved[PATH_MAX])
{
    char parent[PATH_MAX];

    if (realpath(path, resolved) != NULL) {
        return true;
    }
    if (strlen(path) >= sizeof(parent)) {
        return false;
    }
    memcpy(parent, path, strlen(path) + 1);
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        return realpath(".", resolved) != NULL;
    }
    *slash = '\0';
    return realpath(slash == parent ? "/" : parent, resolved) != NULL;
}

struct status keystore_settings_check(const struct keystore_settings *settings)
{
    char data_dir[PATH_MAX];
    char key_file[PATH_MAX];

    if (realpath(settings->data_dir, data_dir) == NULL ||
        !real_path(settings->seal_key_file, key_file)) {
        return OK; /* Nothing there yet that could lie inside the other. */
    }
    size_t length = strlen(data_dir);
    bool is_inside = strncmp(key_file, data_dir, length) == 0 &&
                     (key_file[length] == '/' || key_file[length] == '\0');
    return is_inside ? FAIL(INVALID, "seal_key_file must not lie inside data_dir") : OK;
}

struct key_service_options
keystore_settings_service(const struct keystore_settings *settings, const struct secret *slot_key)
{
    return (struct key_service_options){
        .data_dir = settings->data_dir,
        .cluster = settings->cluster,
        .s3_domain = settings->s3_domain,
        .slot_key = slot_key,
        .clock_skew_s = (int64_t)settings->clock_skew / 1000,
        .token_life_s = settings->token_life / 1000,
        .grant_life_s = settings->grant_life / 1000,
        .handle_life_s = settings->handle_life / 1000,
        .authorize_rate_max = settings->authorize_rate_max,
        .cache_entries = (size_t)settings->cache_entries,
    };
}
