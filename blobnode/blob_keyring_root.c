#include "blobnode/blob_keyring.h"
#include "lib/base/file.h"

#include <fcntl.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { ROOT_FILE_MAX = 8192 };

static EVP_PKEY *read_pem(struct bytes text)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
    if (bio == NULL) {
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return key;
}

/* All of the file must be the key. */
static EVP_PKEY *read_der(struct bytes text)
{
    const unsigned char *at = text.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)text.size);
    if (key != NULL && at != text.data + text.size) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

static struct status of_key(const EVP_PKEY *key, struct blob_keyring_root *ret_root)
{
    struct blob_keyring_root root = {.spki_size = 0};
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
        root.alg = SIGNATURE_ED25519;
    } else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        root.alg = SIGNATURE_P256; /* Another curve is refused when it is used. */
    } else {
        return FAIL(INVALID, "keyset root is neither Ed25519 nor P-256");
    }
    int size = i2d_PUBKEY(key, NULL);
    if (size <= 0 || (size_t)size > sizeof(root.spki)) {
        return FAIL(INVALID, "size of keyset root");
    }
    unsigned char *to = root.spki;
    root.spki_size = (size_t)i2d_PUBKEY(key, &to);
    *ret_root = root;
    return OK;
}

struct status blob_keyring_root_parse(struct bytes text, struct blob_keyring_root *ret_root)
{
    if (text.size == 0 || text.size > ROOT_FILE_MAX) {
        return FAIL(INVALID, "size of keyset root file");
    }
    EVP_PKEY *key = text.data[0] == 0x30 ? read_der(text) : read_pem(text);
    if (key == NULL) {
        return FAIL(INVALID, "keyset root file holds no public key");
    }
    struct status status = of_key(key, ret_root);
    EVP_PKEY_free(key);
    return status;
}

struct status blob_keyring_root_load(const char *path, struct blob_keyring_root *ret_root)
{
    BUFFER(text, ROOT_FILE_MAX);
    TRY(file_read(AT_FDCWD, path, &text));
    return blob_keyring_root_parse(buffer_bytes(&text), ret_root);
}
