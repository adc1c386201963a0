#include "cli/pki_authority.h"

#include "cli/pki_certificate.h"
#include "lib/base/buffer.h"
#include "lib/base/check.h"
#include "lib/base/file.h"
#include "lib/crypto/signature.h"
#include "lib/rpc/rpc_identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    CA_DAYS = 3650,
    LEAF_DAYS = 90,
    PUBLIC_DAYS = 365,
    PATH_SIZE = 512,
    PEM_MAX = 64 * 1024,
    NAMES_MAX = 256,
};

static struct status
write_pair(int dir_fd, const char *name, const struct pki_certificate *certificate)
{
    char file[64];
    BUFFER(pem, PEM_MAX);
    TRY(pki_certificate_pem(certificate, &pem));
    snprintf(file, sizeof(file), "%s.pem", name);
    TRY(file_replace(dir_fd, file, buffer_bytes(&pem), 0644));
    BUFFER(key, PEM_MAX);
    TRY(pki_certificate_key_pem(certificate, &key));
    snprintf(file, sizeof(file), "%s.key", name);
    struct status status = file_replace(dir_fd, file, buffer_bytes(&key), 0600);
    explicit_bzero(key.data, key.size);
    return status;
}

static struct status make_ca(
    int dir_fd, const char *name, const char *common_name, int path_length,
    const struct pki_certificate *issuer, struct pki_certificate **ret_ca)
{
    struct pki_profile profile = {
        .common_name = common_name,
        .is_ca = true,
        .path_length = path_length,
        .days = CA_DAYS,
    };
    OWNED(pki_certificate) struct pki_certificate *ca = NULL;
    TRY(pki_certificate_new(&profile, issuer, &ca));
    TRY(write_pair(dir_fd, name, ca));
    *ret_ca = TAKE(ca);
    return OK;
}

static struct status make_keyset_root(int dir_fd)
{
    OWNED(secret) struct secret *key = NULL;
    BUFFER(spki, SIGNATURE_SPKI_MAX);
    TRY(signature_generate(SIGNATURE_ED25519, &key, &spki));
    TRY(file_replace(dir_fd, "keyset-root.key", secret_bytes(key), 0600));
    return file_replace(dir_fd, "keyset-root.pub", buffer_bytes(&spki), 0644);
}

struct status pki_authority_init(const char *dir, const char *cluster)
{
    OWNED(fd) int dir_fd = -1;
    TRY(file_open_dir(dir, true, &dir_fd));
    if (faccessat(dir_fd, "root.pem", F_OK, 0) == 0) {
        return FAIL(EXISTS, "the directory holds a PKI");
    }
    OWNED(pki_certificate) struct pki_certificate *services = NULL;
    OWNED(pki_certificate) struct pki_certificate *operators = NULL;
    OWNED(pki_certificate) struct pki_certificate *public_ca = NULL;
    OWNED(pki_certificate) struct pki_certificate *root = NULL;
    TRY(file_replace(dir_fd, "cluster", bytes_text(cluster), 0644));
    TRY(make_keyset_root(dir_fd));
    TRY(make_ca(dir_fd, "public", "triad public CA", 0, NULL, &public_ca));
    /* The root last: its file says that the PKI is whole. */
    struct pki_profile profile = {
        .common_name = "triad root", .is_ca = true, .path_length = 1, .days = CA_DAYS};
    TRY(pki_certificate_new(&profile, NULL, &root));
    TRY(make_ca(dir_fd, "services", "triad services CA", 0, root, &services));
    TRY(make_ca(dir_fd, "operators", "triad operators CA", 0, root, &operators));
    return write_pair(dir_fd, "root", root);
}

static struct status append_file(int dir_fd, const char *name, struct buffer *to)
{
    return file_read(dir_fd, name, to);
}

/* ca.pem: what a daemon trusts, or for the S3 port what its clients trust. */
static struct status write_trust(int dir_fd, int out_fd, bool is_public)
{
    BUFFER(trust, PEM_MAX);
    if (is_public) {
        TRY(append_file(dir_fd, "public.pem", &trust));
    } else {
        TRY(append_file(dir_fd, "root.pem", &trust));
        TRY(append_file(dir_fd, "services.pem", &trust));
        TRY(append_file(dir_fd, "operators.pem", &trust));
    }
    return file_replace(out_fd, "ca.pem", buffer_bytes(&trust), 0644);
}

static struct status
write_leaf(int dir_fd, int out_fd, const char *ca_name, const struct pki_certificate *leaf)
{
    char ca_file[64];
    snprintf(ca_file, sizeof(ca_file), "%s.pem", ca_name);
    BUFFER(chain, PEM_MAX);
    TRY(pki_certificate_pem(leaf, &chain));
    TRY(append_file(dir_fd, ca_file, &chain));
    BUFFER(key, PEM_MAX);
    TRY(pki_certificate_key_pem(leaf, &key));
    struct status status = file_replace(out_fd, "key.pem", buffer_bytes(&key), 0600);
    explicit_bzero(key.data, key.size);
    TRY(status);
    return file_replace(out_fd, "cert.pem", buffer_bytes(&chain), 0644);
}

static bool id_is_plain(const char *id)
{
    size_t size = strlen(id);
    return size > 0 && size <= RPC_ID_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == size;
}

struct status
pki_authority_issue(const char *dir, const struct pki_subject *subject, const char *out_dir)
{
    bool is_public = strcmp(subject->role, "public") == 0;
    if (!is_public && rpc_role_of_name(bytes_text(subject->role)) == 0) {
        return FAIL(INVALID, "no such role");
    }
    if (!id_is_plain(subject->id)) {
        return FAIL(INVALID, "an id has letters, digits, - and _ only, at most 63");
    }
    OWNED(fd) int dir_fd = -1;
    TRY(file_open_dir(dir, false, &dir_fd));
    BUFFER(cluster, RPC_ID_MAX);
    TRY(file_read(dir_fd, "cluster", &cluster));

    const char *ca_name = is_public                                ? "public"
                          : strcmp(subject->role, "operator") == 0 ? "operators"
                                                                   : "services";
    OWNED(pki_certificate) struct pki_certificate *ca = NULL;
    TRY(pki_certificate_load(dir_fd, ca_name, &ca));

    char uri[RPC_URI_MAX + 1];
    char name[NAMES_MAX];
    snprintf(
        uri, sizeof(uri), "triad://%.*s/%s/%s", (int)cluster.size, (const char *)cluster.data,
        subject->role, subject->id);
    snprintf(name, sizeof(name), "%s.%s.triad", subject->id, subject->role);
    struct pki_profile profile = {
        .common_name = name,
        .uri = is_public ? NULL : uri,
        .name = is_public ? NULL : name,
        .dns = subject->dns,
        .ip = subject->ip,
        .days = subject->days != 0 ? subject->days
                : is_public        ? PUBLIC_DAYS
                                   : LEAF_DAYS,
        .server_only = is_public,
    };
    OWNED(pki_certificate) struct pki_certificate *leaf = NULL;
    TRY(pki_certificate_new(&profile, ca, &leaf));

    OWNED(fd) int out_fd = -1;
    TRY(file_open_dir(out_dir, true, &out_fd));
    TRY(write_trust(dir_fd, out_fd, is_public));
    return write_leaf(dir_fd, out_fd, ca_name, leaf);
}
