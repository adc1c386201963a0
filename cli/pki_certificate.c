#include "cli/pki_certificate.h"

#include "lib/base/check.h"
#include "lib/base/file.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { PEM_MAX = 64 * 1024, SERIAL_SIZE = 16, NAMES_SIZE = 2048, BACKDATE_S = 300 };

struct pki_certificate {
    X509 *x509;    /* Owned. */
    EVP_PKEY *key; /* Owned. */
};

void pki_certificate_free(struct pki_certificate *certificate)
{
    if (certificate != NULL) {
        X509_free(certificate->x509);
        EVP_PKEY_free(certificate->key);
        free(certificate);
    }
}

static bool add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static void add_names(struct buffer *names, const char *kind, const char *const *list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        buffer_printf(names, "%s%s:%s", names->size > 0 ? "," : "", kind, list[i]);
    }
}

static bool add_alternative_names(X509 *x509, const struct pki_profile *profile)
{
    BUFFER(names, NAMES_SIZE);
    const char *uri[] = {profile->uri, NULL};
    const char *name[] = {profile->name, NULL};
    add_names(&names, "URI", uri);
    add_names(&names, "DNS", name);
    add_names(&names, "DNS", profile->dns);
    add_names(&names, "IP", profile->ip);
    if (names.size == 0) {
        return true;
    }
    buffer_add_u8(&names, 0);
    return status_ok(buffer_status(&names)) &&
           add_extension(x509, x509, NID_subject_alt_name, (const char *)names.data);
}

static bool add_extensions(X509 *x509, X509 *issuer, const struct pki_profile *profile)
{
    char basic[64];
    snprintf(basic, sizeof(basic), "critical,CA:TRUE,pathlen:%d", profile->path_length);
    const char *usage =
        profile->is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";
    bool ok =
        add_extension(
            x509, issuer, NID_basic_constraints, profile->is_ca ? basic : "critical,CA:FALSE") &&
        add_extension(x509, issuer, NID_key_usage, usage) &&
        add_extension(x509, issuer, NID_subject_key_identifier, "hash") &&
        add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always");
    if (ok && !profile->is_ca) {
        ok = add_extension(
            x509, issuer, NID_ext_key_usage,
            profile->server_only ? "serverAuth" : "serverAuth,clientAuth");
    }
    return ok && add_alternative_names(x509, profile);
}

static bool set_head(X509 *x509, const struct pki_profile *profile)
{
    uint8_t serial[SERIAL_SIZE];
    if (RAND_bytes(serial, sizeof(serial)) != 1) {
        return false;
    }
    serial[0] &= 0x7f; /* Positive. */
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    X509_NAME *name = X509_get_subject_name(x509);
    bool ok =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL &&
        X509_set_version(x509, X509_VERSION_3) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(x509), -BACKDATE_S) != NULL &&
        X509_time_adj_ex(X509_getm_notAfter(x509), (int)profile->days, 0, NULL) != NULL &&
        X509_NAME_add_entry_by_txt(
            name, "CN", MBSTRING_ASC, (const unsigned char *)profile->common_name, -1, -1, 0) == 1;
    BN_free(number);
    return ok;
}

struct status pki_certificate_new(
    const struct pki_profile *profile, const struct pki_certificate *issuer,
    struct pki_certificate **ret_certificate)
{
    OWNED(pki_certificate) struct pki_certificate *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return FAIL(NO_MEMORY, "certificate");
    }
    made->key = EVP_EC_gen("P-256");
    made->x509 = X509_new();
    if (made->key == NULL || made->x509 == NULL) {
        return FAIL(INTERNAL, "make a key");
    }
    X509 *issuer_x509 = issuer != NULL ? issuer->x509 : made->x509;
    EVP_PKEY *issuer_key = issuer != NULL ? issuer->key : made->key;
    if (!set_head(made->x509, profile) || X509_set_pubkey(made->x509, made->key) != 1 ||
        X509_set_issuer_name(made->x509, X509_get_subject_name(issuer_x509)) != 1) {
        return FAIL(INTERNAL, "fill certificate");
    }
    if (!add_extensions(made->x509, issuer_x509, profile)) {
        return FAIL(INVALID, "a name is not valid in a certificate");
    }
    if (X509_sign(made->x509, issuer_key, EVP_sha256()) == 0) {
        return FAIL(INTERNAL, "sign certificate");
    }
    *ret_certificate = TAKE(made);
    return OK;
}

struct status
pki_certificate_load(int dir_fd, const char *name, struct pki_certificate **ret_certificate)
{
    OWNED(pki_certificate) struct pki_certificate *loaded = calloc(1, sizeof(*loaded));
    if (loaded == NULL) {
        return FAIL(NO_MEMORY, "certificate");
    }
    char file[64];
    BUFFER(pem, PEM_MAX);
    snprintf(file, sizeof(file), "%s.pem", name);
    TRY(file_read(dir_fd, file, &pem));
    BUFFER(key, PEM_MAX);
    snprintf(file, sizeof(file), "%s.key", name);
    TRY(file_read(dir_fd, file, &key));

    BIO *pem_bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    BIO *key_bio = BIO_new_mem_buf(key.data, (int)key.size);
    loaded->x509 = PEM_read_bio_X509(pem_bio, NULL, NULL, NULL);
    loaded->key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    BIO_free(pem_bio);
    BIO_free(key_bio);
    explicit_bzero(key.data, key.size);
    if (loaded->x509 == NULL || loaded->key == NULL ||
        X509_check_private_key(loaded->x509, loaded->key) != 1) {
        return FAIL(CORRUPT, "CA certificate and key do not fit");
    }
    *ret_certificate = TAKE(loaded);
    return OK;
}

static struct status drain(BIO *bio, bool was_written, struct buffer *pem)
{
    char *data = NULL;
    long size = was_written ? BIO_get_mem_data(bio, &data) : 0;
    if (size > 0) {
        buffer_add(pem, bytes_of(data, (size_t)size));
        explicit_bzero(data, (size_t)size);
    }
    BIO_free(bio);
    if (size <= 0) {
        return FAIL(INTERNAL, "write PEM");
    }
    return buffer_status(pem);
}

struct status pki_certificate_pem(const struct pki_certificate *certificate, struct buffer *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return drain(bio, PEM_write_bio_X509(bio, certificate->x509) == 1, pem);
}

struct status pki_certificate_key_pem(const struct pki_certificate *certificate, struct buffer *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool was_written =
        PEM_write_bio_PKCS8PrivateKey(bio, certificate->key, NULL, NULL, 0, NULL, NULL) == 1;
    return drain(bio, was_written, pem);
}
