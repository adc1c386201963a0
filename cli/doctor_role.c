#include "cli/doctor_role.h"

#include <string.h>

struct keystore_settings {
#define OPTION CONFIG_FIELD
#include "keystore/keystore.def"
#undef OPTION
};
static const struct config_option keystore_options[] = {
#define OPTION(...) CONFIG_ROW(struct keystore_settings, __VA_ARGS__)
#include "keystore/keystore.def"
#undef OPTION
};

struct contentdb_settings {
#define OPTION CONFIG_FIELD
#include "contentdb/contentdb.def"
#undef OPTION
};
static const struct config_option contentdb_options[] = {
#define OPTION(...) CONFIG_ROW(struct contentdb_settings, __VA_ARGS__)
#include "contentdb/contentdb.def"
#undef OPTION
};

struct blobnode_settings {
#define OPTION CONFIG_FIELD
#include "blobnode/blobnode.def"
#undef OPTION
};
static const struct config_option blobnode_options[] = {
#define OPTION(...) CONFIG_ROW(struct blobnode_settings, __VA_ARGS__)
#include "blobnode/blobnode.def"
#undef OPTION
};

struct steward_settings {
#define OPTION CONFIG_FIELD
#include "steward/steward.def"
#undef OPTION
};
static const struct config_option steward_options[] = {
#define OPTION(...) CONFIG_ROW(struct steward_settings, __VA_ARGS__)
#include "steward/steward.def"
#undef OPTION
};

struct frontend_settings {
#define OPTION CONFIG_FIELD
#include "frontend/frontend.def"
#undef OPTION
};
static const struct config_option frontend_options[] = {
#define OPTION(...) CONFIG_ROW(struct frontend_settings, __VA_ARGS__)
#include "frontend/frontend.def"
#undef OPTION
};

struct operator_settings {
#define OPTION CONFIG_FIELD
#include "cli/session.def"
#undef OPTION
};
static const struct config_option operator_options[] = {
#define OPTION(...) CONFIG_ROW(struct operator_settings, __VA_ARGS__)
#include "cli/session.def"
#undef OPTION
};

static const struct doctor_role roles[] = {
    {"keystore", RPC_ROLE_KEYSTORE, keystore_options,
     sizeof(keystore_options) / sizeof(keystore_options[0]), sizeof(struct keystore_settings),
     4 * 1024 * 1024},
    {"contentdb", RPC_ROLE_CONTENTDB, contentdb_options,
     sizeof(contentdb_options) / sizeof(contentdb_options[0]), sizeof(struct contentdb_settings),
     1024 * 1024},
    {"blobnode", RPC_ROLE_BLOBNODE, blobnode_options,
     sizeof(blobnode_options) / sizeof(blobnode_options[0]), sizeof(struct blobnode_settings), 0},
    {"steward", RPC_ROLE_STEWARD, steward_options,
     sizeof(steward_options) / sizeof(steward_options[0]), sizeof(struct steward_settings),
     256 * 1024},
    {"frontend", RPC_ROLE_FRONTEND, frontend_options,
     sizeof(frontend_options) / sizeof(frontend_options[0]), sizeof(struct frontend_settings),
     1024 * 1024},
    {"operator", RPC_ROLE_OPERATOR, operator_options,
     sizeof(operator_options) / sizeof(operator_options[0]), sizeof(struct operator_settings), 0},
};

enum { ROLES = sizeof(roles) / sizeof(roles[0]) };

const struct doctor_role *doctor_role_named(const char *name)
{
    for (size_t i = 0; i < ROLES; i++) {
        if (strcmp(roles[i].name, name) == 0) {
            return &roles[i];
        }
    }
    return NULL;
}

/* The key of a line; empty for comments, empty lines and what is no "key = value". */
static struct bytes key_of(struct bytes line)
{
    while (line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
        line = bytes_from(line, 1);
    }
    const uint8_t *end = line.size == 0 ? NULL : memchr(line.data, '=', line.size);
    if (end == NULL || line.data[0] == '#') {
        return bytes_of(NULL, 0);
    }
    line.size = (size_t)(end - line.data);
    while (line.size > 0 && (line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t')) {
        line.size--;
    }
    return line;
}

/* Keys that the role does not know, and mandatory ones that are not there. */
static size_t mistakes(const struct doctor_role *role, struct bytes text)
{
    size_t unknown = 0;
    size_t missing = 0;
    for (size_t i = 0; i < role->options_count; i++) {
        missing += role->options[i].fallback == NULL ? 1 : 0;
    }
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        struct bytes key = key_of(bytes_of(text.data, size));
        text = bytes_from(text, end == NULL ? size : size + 1);
        if (key.size == 0) {
            continue;
        }
        const struct config_option *found = NULL;
        for (size_t i = 0; found == NULL && i < role->options_count; i++) {
            if (bytes_equal(key, bytes_text(role->options[i].name))) {
                found = &role->options[i];
            }
        }
        unknown += found == NULL ? 1 : 0;
        missing -= found != NULL && found->fallback == NULL && missing > 0 ? 1 : 0;
    }
    return unknown + missing;
}

static bool is_named_after(const char *path, const char *role)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    return strncmp(name, role, strlen(role)) == 0;
}

const struct doctor_role *doctor_role_guess(struct bytes text, const char *path)
{
    size_t counts[ROLES];
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < ROLES; i++) {
        counts[i] = mistakes(&roles[i], text);
        least = counts[i] < least ? counts[i] : least;
    }
    const struct doctor_role *best = NULL;
    size_t equals = 0;
    for (size_t i = 0; i < ROLES; i++) {
        if (counts[i] != least) {
            continue;
        }
        equals++;
        if (best == NULL || is_named_after(path, roles[i].name)) {
            best = &roles[i];
        }
    }
    return equals == 1 || is_named_after(path, best->name) ? best : NULL;
}
