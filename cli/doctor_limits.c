#include "cli/doctor_limits.h"

#include "lib/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TEXT_MAX = 64 * 1024,
    FILES_SPARE = 512, /* Beside clients: connections to peers, logs, libraries. */
    FILES_STORE = 4096 /* A store holds its segments open. */
};

static bool number_after(const char *text, const char *label, uint64_t *ret_value)
{
    const char *at = strstr(text, label);
    if (at == NULL) {
        return false;
    }
    at += strlen(label);
    at += strspn(at, " ");
    if (strncmp(at, "unlimited", 9) == 0) {
        *ret_value = UINT64_MAX;
        return true;
    }
    char *end;
    *ret_value = strtoull(at, &end, 10);
    return end != at;
}

bool doctor_limits_parse(const char *text, struct doctor_limits *ret_limits)
{
    return number_after(text, "Max locked memory", &ret_limits->locked_bytes) &&
           number_after(text, "Max open files", &ret_limits->files);
}

uint64_t doctor_limits_files(const struct doctor_target *target)
{
    if (target->role->role == RPC_ROLE_FRONTEND) {
        return doctor_target_number(target, "connections_max", 0) + FILES_SPARE;
    }
    return doctor_target_text(target, "data_dir") != NULL ? FILES_STORE : FILES_SPARE;
}

static bool read_text(const char *path, struct buffer *text)
{
    if (!status_ok(file_read(AT_FDCWD, path, text))) {
        return false;
    }
    buffer_add_u8(text, 0);
    return status_ok(buffer_status(text));
}

/* Whether the process was started with `--config <path>`: argv's words are NUL-terminated. */
static bool has_config(const char *pid, const char *path)
{
    char name[64];
    char real[PATH_MAX];
    char given[PATH_MAX];
    BUFFER(words, TEXT_MAX);
    snprintf(name, sizeof(name), "/proc/%.16s/cmdline", pid);
    if (!read_text(name, &words) || realpath(path, real) == NULL) {
        return false;
    }
    const char *at = (const char *)words.data;
    const char *end = at + words.size;
    bool is_next = false;
    for (; at < end; at += strlen(at) + 1) {
        if (is_next && realpath(at, given) != NULL && strcmp(given, real) == 0) {
            return true;
        }
        is_next = strcmp(at, "--config") == 0;
    }
    return false;
}

/* The pid of who runs with this configuration, or 0. The doctor itself does not. */
static long find_daemon(const char *path)
{
    DIR *proc = opendir("/proc");
    long found = 0;
    for (struct dirent *entry; proc != NULL && found == 0 && (entry = readdir(proc)) != NULL;) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && pid != getpid() && has_config(entry->d_name, path)) {
            found = pid;
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
    return found;
}

static void tell(
    struct doctor *doctor, const struct doctor_target *target, const struct doctor_limits *limits,
    const char *whose)
{
    uint64_t files = doctor_limits_files(target);
    bool is_fine = true;
    if (limits->locked_bytes < target->role->locked_bytes) {
        doctor_warn(
            doctor, "raise it (LimitMEMLOCK=, ulimits:, ulimit -l): keys may be swapped out",
            "%s may lock %llu KiB, its keys need %zu KiB", whose,
            (unsigned long long)limits->locked_bytes / 1024, target->role->locked_bytes / 1024);
        is_fine = false;
    }
    if (limits->files < files) {
        doctor_warn(
            doctor, "raise it (LimitNOFILE=, ulimits:, ulimit -n)",
            "%s may open %llu files, it may want %llu", whose, (unsigned long long)limits->files,
            (unsigned long long)files);
        is_fine = false;
    }
    if (is_fine) {
        doctor_ok(doctor, "%s may lock and open as much as it needs", whose);
    }
}

void doctor_limits_check(struct doctor *doctor, void *context)
{
    const struct doctor_target *target = context;
    struct doctor_limits limits;
    char path[64];
    BUFFER(text, TEXT_MAX);
    long pid = find_daemon(target->path);
    snprintf(path, sizeof(path), "/proc/%ld/limits", pid);
    if (pid > 0 && read_text(path, &text) &&
        doctor_limits_parse((const char *)text.data, &limits)) {
        tell(doctor, target, &limits, "the running daemon");
        return;
    }
    buffer_reset(&text);
    if (!read_text("/proc/self/limits", &text) ||
        !doctor_limits_parse((const char *)text.data, &limits)) {
        doctor_warn(doctor, "mount /proc", "the limits cannot be read");
        return;
    }
    tell(doctor, target, &limits, "a process started from here");
}
