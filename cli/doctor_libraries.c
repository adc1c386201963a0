#include "cli/doctor_libraries.h"

#include "lib/base/check.h"
#include "lib/version/version.h"

#include <isa-l.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <triad_grpc_version.h>

#include <grpc/grpc.h>
#include <lmdb.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <protobuf-c/protobuf-c.h>

enum { PARTS = 3 };

static void parse(const char *text, unsigned long parts[PARTS])
{
    for (size_t i = 0; i < PARTS; i++) {
        char *end;
        parts[i] = strtoul(text, &end, 10);
        text = *end == '.' ? end + 1 : "";
    }
}

enum doctor_state doctor_libraries_compare(const char *built, const char *running)
{
    unsigned long wanted[PARTS];
    unsigned long found[PARTS];
    parse(built, wanted);
    parse(running, found);
    if (wanted[0] != found[0]) {
        return DOCTOR_WARN;
    }
    for (size_t i = 1; i < PARTS; i++) {
        if (found[i] != wanted[i]) {
            return found[i] < wanted[i] ? DOCTOR_WARN : DOCTOR_OK;
        }
    }
    return DOCTOR_OK;
}

/* ISA-L has no function that tells its version: the name of its file does, as libisal.so.2.0.30
 * for 2.30. */
static int find_isal(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    char *version = context;
    char path[PATH_MAX];
    if (info->dlpi_name == NULL || strstr(info->dlpi_name, "/libisal.so.") == NULL ||
        realpath(info->dlpi_name, path) == NULL) {
        return 0;
    }
    unsigned major;
    unsigned minor;
    if (sscanf(strrchr(path, '/'), "/libisal.so.%u.0.%u", &major, &minor) == 2) {
        snprintf(version, 32, "%u.%u.0", major, minor);
    }
    return 1;
}

static void tell(struct doctor *doctor, const char *name, const char *built, const char *running)
{
    enum doctor_state state = doctor_libraries_compare(built, running);
    doctor_tell(
        doctor, state, "install the libraries of the release that Triad was built on",
        "%s %s, built with %s", name, running, built);
}

void doctor_libraries_check(struct doctor *doctor, void *context)
{
    (void)context;
    char isal[32] = "";
    char isal_built[32];
    char lmdb_built[32];
    char lmdb[32];
    int major;
    int minor;
    int patch;
    doctor_ok(doctor, "Triad %s", TRIAD_VERSION);
    tell(doctor, "gRPC", TRIAD_GRPC_VERSION, grpc_version_string());
    tell(doctor, "OpenSSL", OPENSSL_VERSION_STR, OpenSSL_version(OPENSSL_VERSION_STRING));
    tell(doctor, "protobuf-c", PROTOBUF_C_VERSION, protobuf_c_version());
    IGNORE(mdb_version(&major, &minor, &patch)); /* The text has a date in it. */
    snprintf(lmdb, sizeof(lmdb), "%d.%d.%d", major, minor, patch);
    snprintf(
        lmdb_built, sizeof(lmdb_built), "%d.%d.%d", MDB_VERSION_MAJOR, MDB_VERSION_MINOR,
        MDB_VERSION_PATCH);
    tell(doctor, "LMDB", lmdb_built, lmdb);
    snprintf(
        isal_built, sizeof(isal_built), "%d.%d.%d", ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION,
        ISAL_PATCH_VERSION);
    IGNORE(dl_iterate_phdr(find_isal, isal)); /* isal stays empty where it is not found. */
    if (isal[0] == '\0') {
        doctor_ok(doctor, "ISA-L of an unknown version, built with %s", isal_built);
        return;
    }
    tell(doctor, "ISA-L", isal_built, isal);
}
