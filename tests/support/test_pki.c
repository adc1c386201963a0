#include "tests/support/test_pki.h"

#include "lib/base/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum { PATH_SIZE = 256, TEXTS_MAX = 256, DAY_S = 24 * 3600 };

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
};

struct test_pki {
    char dir[PATH_SIZE];
    char cluster[64];
    struct authority root;
    struct authority services;
    struct authority operators;
    char *texts[TEXTS_MAX]; /* Owned: file names given out. */
    size_t texts_count;
};

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    CHECK(extension != NULL);
    CHECK(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(const char *name, EVP_PKEY *key, const struct authority *issuer)
{
    X509 *certificate = X509_new();
    CHECK(certificate != NULL);
    uint64_t serial = 0;
    CHECK(RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1);
    CHECK(X509_set_version(certificate, X509_VERSION_3) == 1);
    CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S);
    X509_NAME *subject = X509_get_subject_name(certificate);
    CHECK(
        X509_NAME_add_entry_by_txt(
            subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1);
    X509_set_pubkey(certificate, key);
    X509 *signer = issuer == NULL ? certificate : issuer->certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));
    return certificate;
}

static void sign(X509 *certificate, EVP_PKEY *key)
{
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
}

static struct authority make_authority(const char *name, const struct authority *issuer)
{
    struct authority made = {.key = EVP_EC_gen("P-256")};
    CHECK(made.key != NULL);
    made.certificate = make_certificate(name, made.key, issuer);
    X509 *signer = issuer == NULL ? made.certificate : issuer->certificate;
    add_extension(made.certificate, signer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(made.certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(made.certificate, signer, NID_subject_key_identifier, "hash");
    sign(made.certificate, issuer == NULL ? made.key : issuer->key);
    return made;
}

static void authority_done(struct authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

static struct status write_pem(
    const struct test_pki *pki, const char *name, EVP_PKEY *key, X509 *first, X509 *second,
    X509 *third)
{
    char path[PATH_SIZE * 2];
    char temporary[PATH_SIZE * 2 + 8];
    snprintf(path, sizeof(path), "%s/%s", pki->dir, name);
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    FILE *file = fopen(temporary, "we");
    if (file == NULL) {
        return FAIL_ERRNO(errno, "create PEM file");
    }
    bool is_written =
        (key == NULL || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1) &&
        (first == NULL || PEM_write_X509(file, first) == 1) &&
        (second == NULL || PEM_write_X509(file, second) == 1) &&
        (third == NULL || PEM_write_X509(file, third) == 1);
    if (fclose(file) != 0 || !is_written || rename(temporary, path) != 0) {
        return FAIL(IO, "write PEM file");
    }
    return OK;
}

struct status test_pki_new(const char *cluster, struct test_pki **ret_pki)
{
    OWNED(test_pki) struct test_pki *pki = calloc(1, sizeof(*pki));
    if (pki == NULL) {
        return FAIL(NO_MEMORY, "test PKI");
    }
    const char *base = getenv("TEST_TMPDIR");
    snprintf(pki->dir, sizeof(pki->dir), "%s/pki_XXXXXX", base != NULL ? base : "/tmp");
    snprintf(pki->cluster, sizeof(pki->cluster), "%s", cluster);
    if (mkdtemp(pki->dir) == NULL) {
        pki->dir[0] = '\0';
        return FAIL_ERRNO(errno, "directory of the test PKI");
    }
    pki->root = make_authority("triad root CA", NULL);
    pki->services = make_authority("triad services CA", &pki->root);
    pki->operators = make_authority("triad operators CA", &pki->root);
    TRY(write_pem(
        pki, "ca.pem", NULL, pki->root.certificate, pki->services.certificate,
        pki->operators.certificate));
    *ret_pki = TAKE(pki);
    return OK;
}

void test_pki_free(struct test_pki *pki)
{
    if (pki == NULL) {
        return;
    }
    if (pki->dir[0] != '\0') {
        char command[PATH_SIZE + 16];
        snprintf(command, sizeof(command), "rm -rf '%s'", pki->dir);
        IGNORE(system(command)); /* A leftover lies in the test's own directory. */
    }
    authority_done(&pki->root);
    authority_done(&pki->services);
    authority_done(&pki->operators);
    for (size_t i = 0; i < pki->texts_count; i++) {
        free(pki->texts[i]);
    }
    free(pki);
}

const char *test_pki_dir(const struct test_pki *pki)
{
    return pki->dir;
}

static const struct authority *
choose_authority(const struct test_pki *pki, const char *role, const char *ca)
{
    if (ca == NULL) {
        ca = strcmp(role, "operator") == 0 ? "operators" : "services";
    }
    if (strcmp(ca, "root") == 0) {
        return &pki->root;
    }
    return strcmp(ca, "operators") == 0 ? &pki->operators : &pki->services;
}

struct status test_pki_issue(struct test_pki *pki, const char *role, const char *id, const char *ca)
{
    const struct authority *issuer = choose_authority(pki, role, ca);
    char names[PATH_SIZE];
    snprintf(
        names, sizeof(names), "URI:triad://%s/%s/%s,DNS:%s.%s.test", pki->cluster, role, id, id,
        role);

    EVP_PKEY *key = EVP_EC_gen("P-256");
    CHECK(key != NULL);
    X509 *leaf = make_certificate(id, key, issuer);
    add_extension(leaf, issuer->certificate, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(leaf, issuer->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
    add_extension(leaf, issuer->certificate, NID_subject_alt_name, names);
    sign(leaf, issuer->key);

    char cert_name[PATH_SIZE];
    char key_name[PATH_SIZE];
    snprintf(cert_name, sizeof(cert_name), "%s-%s.pem", role, id);
    snprintf(key_name, sizeof(key_name), "%s-%s.key", role, id);
    struct status status = write_pem(pki, key_name, key, NULL, NULL, NULL);
    if (status_ok(status)) {
        status = write_pem(pki, cert_name, NULL, leaf, issuer->certificate, NULL);
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
    return status;
}

static const char *keep(struct test_pki *pki, char *text)
{
    CHECK(pki->texts_count < TEXTS_MAX);
    pki->texts[pki->texts_count++] = text;
    return text;
}

static const char *
file_name(struct test_pki *pki, const char *role, const char *id, const char *suffix)
{
    char *text = NULL;
    CHECK(asprintf(&text, "%s/%s-%s.%s", pki->dir, role, id, suffix) > 0);
    return keep(pki, text);
}

struct rpc_tls_files test_pki_files(struct test_pki *pki, const char *role, const char *id)
{
    char *ca = NULL;
    CHECK(asprintf(&ca, "%s/ca.pem", pki->dir) > 0);
    return (struct rpc_tls_files){
        .ca_file = keep(pki, ca),
        .cert_file = file_name(pki, role, id, "pem"),
        .key_file = file_name(pki, role, id, "key"),
        .cluster = pki->cluster,
    };
}
