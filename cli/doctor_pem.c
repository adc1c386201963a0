#include "cli/doctor_pem.h"

#include "lib/base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

enum { FILE_MAX = 64 * 1024, CHAIN_MAX = 16 };

void doctor_pem_free(struct doctor_pem *pem)
{
    if (pem != NULL) {
        sk_X509_pop_free(pem->list, X509_free);
        free(pem);
    }
}

static struct status make(struct doctor_pem **ret_pem)
{
    OWNED(doctor_pem) struct doctor_pem *pem = calloc(1, sizeof(*pem));
    if (pem == NULL || (pem->list = sk_X509_new_null()) == NULL) {
        return FAIL(NO_MEMORY, "certificates");
    }
    *ret_pem = TAKE(pem);
    return OK;
}

/* Takes the certificate. */
static struct status push(struct doctor_pem *pem, X509 *take_certificate)
{
    if (sk_X509_num(pem->list) >= CHAIN_MAX || sk_X509_push(pem->list, take_certificate) == 0) {
        X509_free(take_certificate);
        return FAIL(TOO_LARGE, "more than 16 certificates");
    }
    return OK;
}

static struct status read_all(struct bytes text, struct doctor_pem *pem)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    struct status status = bio != NULL ? OK : FAIL(NO_MEMORY, "certificates");
    while (status_ok(status)) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (certificate == NULL) {
            break; /* The end, or what is no certificate: the count below tells. */
        }
        status = push(pem, certificate);
    }
    ERR_clear_error();
    BIO_free(bio);
    return status;
}

struct status doctor_pem_read(const char *path, struct doctor_pem **ret_pem)
{
    BUFFER(text, FILE_MAX);
    OWNED(doctor_pem) struct doctor_pem *pem = NULL;
    TRY(file_read(AT_FDCWD, path, &text));
    TRY(make(&pem));
    TRY(read_all(buffer_bytes(&text), pem));
    if (sk_X509_num(pem->list) == 0) {
        return FAIL(INVALID, "no certificate in the file");
    }
    *ret_pem = TAKE(pem);
    return OK;
}

struct status doctor_pem_copy(STACK_OF(X509) * list, struct doctor_pem **ret_pem)
{
    OWNED(doctor_pem) struct doctor_pem *pem = NULL;
    TRY(make(&pem));
    for (int i = 0; i < sk_X509_num(list); i++) {
        X509 *certificate = sk_X509_value(list, i);
        if (X509_up_ref(certificate) != 1) {
            return FAIL(INTERNAL, "certificate of a peer");
        }
        TRY(push(pem, certificate));
    }
    if (sk_X509_num(pem->list) == 0) {
        return FAIL(INVALID, "the peer showed no certificate");
    }
    *ret_pem = TAKE(pem);
    return OK;
}

X509 *doctor_pem_leaf(const struct doctor_pem *pem)
{
    return sk_X509_value(pem->list, 0);
}

static int64_t unix_time(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int64_t doctor_pem_not_before(const X509 *certificate)
{
    return unix_time(X509_get0_notBefore(certificate));
}

int64_t doctor_pem_not_after(const X509 *certificate)
{
    return unix_time(X509_get0_notAfter(certificate));
}

int64_t doctor_pem_first_end(const struct doctor_pem *pem)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < sk_X509_num(pem->list); i++) {
        int64_t end = doctor_pem_not_after(sk_X509_value(pem->list, i));
        first = end < first ? end : first;
    }
    return first;
}

struct status doctor_pem_check_key(const struct doctor_pem *pem, const char *key_path)
{
    BUFFER(text, FILE_MAX);
    TRY(file_read(AT_FDCWD, key_path, &text));
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (text.data != NULL) {
        explicit_bzero(text.data, text.size);
    }
    struct status status = OK;
    if (key == NULL) {
        status = FAIL(INVALID, "the key file is no PEM key");
    } else if (X509_check_private_key(doctor_pem_leaf(pem), key) != 1) {
        status = FAIL(INVALID, "the key does not belong to the certificate");
    }
    ERR_clear_error();
    EVP_PKEY_free(key);
    return status;
}

int doctor_pem_verify(const struct doctor_pem *pem, const struct doctor_pem *ca)
{
    int error = X509_V_ERR_UNSPECIFIED;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    bool is_ready = store != NULL && context != NULL;
    for (int i = 0; is_ready && i < sk_X509_num(ca->list); i++) {
        is_ready = X509_STORE_add_cert(store, sk_X509_value(ca->list, i)) == 1;
    }
    if (is_ready && X509_STORE_CTX_init(context, store, doctor_pem_leaf(pem), pem->list) == 1) {
        /* As gRPC does: an issuing CA among the trusted ones suffices. */
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
        error = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    }
    ERR_clear_error();
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return error;
}

struct status doctor_pem_text(const struct doctor_pem *pem, struct buffer *text)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    long size = 0;
    if (bio != NULL && PEM_write_bio_X509(bio, doctor_pem_leaf(pem)) == 1) {
        size = BIO_get_mem_data(bio, &data);
    }
    if (size > 0) {
        buffer_add(text, bytes_of(data, (size_t)size));
    }
    BIO_free(bio);
    return size > 0 ? buffer_status(text) : FAIL(INTERNAL, "write a certificate");
}

bool doctor_pem_equal(const struct doctor_pem *a, const struct doctor_pem *b)
{
    return X509_cmp(doctor_pem_leaf(a), doctor_pem_leaf(b)) == 0;
}
