#include "cli/doctor_files.h"

#include "lib/base/check.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEAL_KEY_SIZE = 32 };

/* Every option that names a file. */
static const struct {
    const char *option;
    bool is_secret;
} files[] = {
    {"ca_file", false},      {"cert_file", false},  {"key_file", true},
    {"s3_cert_file", false}, {"s3_key_file", true}, {"keyset_root_file", false},
    {"seal_key_file", true},
};

enum { FILES = sizeof(files) / sizeof(files[0]) };

enum doctor_state doctor_files_judge_mode(mode_t mode, const char **ret_why)
{
    *ret_why = NULL;
    if ((mode & S_IRWXO) != 0) {
        *ret_why = "any user of this host may use it";
        return DOCTOR_FAIL;
    }
    if ((mode & S_IWGRP) != 0) {
        *ret_why = "its group may change it";
        return DOCTOR_FAIL;
    }
    if ((mode & (S_IRGRP | S_IXGRP)) != 0) {
        *ret_why = "its group may read it";
        return DOCTOR_WARN;
    }
    return DOCTOR_OK;
}

enum doctor_state doctor_files_judge_owner(uid_t owner, uid_t daemon, const char **ret_why)
{
    *ret_why = NULL;
    if (owner == daemon) {
        return DOCTOR_OK;
    }
    if (owner == 0) {
        *ret_why = "it is root's: the daemon's user, who owns data_dir, cannot read it";
        return DOCTOR_WARN;
    }
    *ret_why = "another user than the daemon's owns it";
    return DOCTOR_FAIL;
}

bool doctor_files_is_inside(const char *path, const char *directory)
{
    char inner[PATH_MAX];
    char outer[PATH_MAX];
    if (realpath(path, inner) == NULL || realpath(directory, outer) == NULL) {
        return false;
    }
    size_t size = strlen(outer);
    return strncmp(inner, outer, size) == 0 &&
           (inner[size] == '/' || inner[size] == '\0' || strcmp(outer, "/") == 0);
}

/* Who the daemon runs as: data_dir's owner, else whom we are. */
static uid_t daemon_user(const struct doctor_target *target)
{
    struct stat info;
    const char *data_dir = doctor_target_text(target, "data_dir");
    return data_dir != NULL && stat(data_dir, &info) == 0 ? info.st_uid : geteuid();
}

static const char *advise(struct doctor *doctor, const char *command, const char *path)
{
    const char *advice = arena_printf(&doctor->cli->arena, "%s %s", command, path);
    CHECK(advice != NULL);
    return advice;
}

/* A directory that others may write in lets them replace what lies there. */
static bool tell_directory(struct doctor *doctor, const char *path)
{
    struct stat info;
    char *copy = arena_text(&doctor->cli->arena, bytes_text(path));
    CHECK(copy != NULL);
    const char *directory = dirname(copy);
    if (stat(directory, &info) == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
        (info.st_mode & S_ISVTX) == 0) {
        doctor_fail(
            doctor, advise(doctor, "chmod go-w", directory),
            "%s: others may replace it, since they may write in its directory", path);
        return false;
    }
    return true;
}

static bool tell_secret(
    struct doctor *doctor, const struct doctor_target *target, const char *path,
    const struct stat *info)
{
    const char *why;
    enum doctor_state state = doctor_files_judge_mode(info->st_mode, &why);
    if (state != DOCTOR_OK) {
        doctor_tell(
            doctor, state, advise(doctor, "chmod 600", path), "%s has mode %04o: %s", path,
            info->st_mode & 07777, why);
        return false;
    }
    state = doctor_files_judge_owner(info->st_uid, daemon_user(target), &why);
    if (state != DOCTOR_OK) {
        doctor_tell(
            doctor, state, advise(doctor, "chown to the daemon's user:", path), "%s: %s", path,
            why);
        return false;
    }
    return tell_directory(doctor, path);
}

static bool tell_shown(struct doctor *doctor, const char *path, const struct stat *info)
{
    if ((info->st_mode & (S_IWOTH | S_IWGRP)) != 0) {
        doctor_fail(
            doctor, advise(doctor, "chmod go-w", path), "%s has mode %04o: others may change it",
            path, info->st_mode & 07777);
        return false;
    }
    return tell_directory(doctor, path);
}

static bool tell_file(
    struct doctor *doctor, const struct doctor_target *target, const char *option, const char *path,
    bool is_secret)
{
    struct stat info;
    bool is_there = stat(path, &info) == 0;
    if (!is_there || !S_ISREG(info.st_mode)) {
        doctor_fail(
            doctor,
            !is_there && errno == EACCES ? "run this as root or as the daemon's user"
                                         : "put it there, or set the option right",
            "%s: %s: %s", option, path, is_there ? "is no file" : strerrordesc_np(errno));
        return false;
    }
    return is_secret ? tell_secret(doctor, target, path, &info) : tell_shown(doctor, path, &info);
}

void doctor_files_check(struct doctor *doctor, void *context)
{
    const struct doctor_target *target = context;
    unsigned good = 0;
    unsigned bad = 0;
    if (!tell_file(doctor, target, "configuration", target->path, false)) {
        bad++;
    }
    for (size_t i = 0; i < FILES; i++) {
        const char *path = doctor_target_text(target, files[i].option);
        if (path != NULL) {
            bool is_good = tell_file(doctor, target, files[i].option, path, files[i].is_secret);
            good += is_good ? 1 : 0;
            bad += is_good ? 0 : 1;
        }
    }
    if (bad == 0) {
        doctor_ok(doctor, "%u files are there; the secret ones are the daemon's alone", good);
    }
}

void doctor_files_check_seal(struct doctor *doctor, void *context)
{
    const char *path = doctor_target_text(context, "seal_key_file");
    const char *data_dir = doctor_target_text(context, "data_dir");
    struct stat info;
    if (path == NULL || stat(path, &info) != 0) {
        return; /* Of another role, or told by the check of files. */
    }
    if (doctor_files_is_inside(path, data_dir)) {
        doctor_fail(
            doctor, "keep it elsewhere: whoever has a copy of data_dir would have everything",
            "%s lies inside data_dir", path);
        return;
    }
    if (info.st_size != SEAL_KEY_SIZE) {
        doctor_fail(
            doctor, "restore it from the copy that is kept off this machine",
            "%s has %lld bytes, not 32", path, (long long)info.st_size);
        return;
    }
    struct stat data;
    if (stat(data_dir, &data) == 0 && data.st_dev == info.st_dev) {
        doctor_ok(
            doctor,
            "%s lies outside data_dir (on the same file system: whoever takes that disk "
            "takes both)",
            path);
        return;
    }
    doctor_ok(doctor, "%s lies outside data_dir, on another file system", path);
}

void doctor_files_check_data_dir(struct doctor *doctor, void *context)
{
    const char *path = doctor_target_text(context, "data_dir");
    struct stat info;
    const char *why;
    if (path == NULL) {
        return;
    }
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        doctor_fail(
            doctor, "mount its disk; for a new daemon make it with mode 0700",
            "%s: there is no such directory", path);
        return;
    }
    enum doctor_state state = doctor_files_judge_mode(info.st_mode, &why);
    if (state != DOCTOR_OK) {
        doctor_tell(
            doctor, state, advise(doctor, "chmod 700", path), "%s has mode %04o: %s", path,
            info.st_mode & 07777, why);
        return;
    }
    if (access(path, W_OK | X_OK) != 0) {
        doctor_fail(
            doctor,
            errno == EROFS ? "mount it writable (the kernel may have made it read-only after an "
                             "error of the disk: see dmesg)"
                           : "run this as the daemon's user or root, or set the owner right",
            "%s cannot be written: %s", path, strerrordesc_np(errno));
        return;
    }
    doctor_ok(doctor, "%s, mode %04o, of uid %u", path, info.st_mode & 07777, info.st_uid);
}
