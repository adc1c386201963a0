#include "lib/crypto/aead.h"

#include "lib/base/check.h"
#include "lib/crypto/evp_cache.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/* GCM runs the block cipher forwards both ways, so one key schedule seals and opens. */
struct aead {
    EVP_CIPHER_CTX *context; /* Owned; wiped by OpenSSL when freed. */
};

enum { AES_BLOCK = 16 };

struct status aead_new(const struct secret *key, struct aead **ret_aead)
{
    CHECK(secret_size(key) == SECRET_KEY_SIZE);
    const struct evp_cache *cache;
    TRY(evp_cache_get(&cache));
    OWNED(aead) struct aead *aead = calloc(1, sizeof(*aead));
    if (aead == NULL) {
        return FAIL(NO_MEMORY, "aead");
    }
    aead->context = EVP_CIPHER_CTX_new();
    if (aead->context == NULL) {
        return FAIL(NO_MEMORY, "aead");
    }
    if (EVP_EncryptInit_ex2(aead->context, cache->gcm, secret_bytes(key).data, NULL, NULL) != 1) {
        return FAIL(INTERNAL, "AES-256-GCM key");
    }
    *ret_aead = TAKE(aead);
    return OK;
}

void aead_free(struct aead *aead)
{
    if (aead != NULL) {
        EVP_CIPHER_CTX_free(aead->context);
        free(aead);
    }
}

static bool add_aad(EVP_CIPHER_CTX *context, bool is_sealing, struct bytes aad)
{
    int done = 0;
    CHECK(aad.size <= INT_MAX);
    if (aad.size == 0) {
        return true;
    }
    return is_sealing ? EVP_EncryptUpdate(context, NULL, &done, aad.data, (int)aad.size) == 1
                      : EVP_DecryptUpdate(context, NULL, &done, aad.data, (int)aad.size) == 1;
}

static bool end_tag(EVP_CIPHER_CTX *context, uint8_t *tag)
{
    uint8_t nothing[AES_BLOCK];
    int done = 0;
    return EVP_EncryptFinal_ex(context, nothing, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, tag) == 1;
}

struct status aead_seal(
    struct aead *aead, const uint8_t iv[AEAD_IV_SIZE], struct bytes aad, uint8_t *data, size_t size,
    uint8_t ret_tag[AEAD_TAG_SIZE])
{
    CHECK(size <= INT_MAX);
    int done = 0;
    if (EVP_EncryptInit_ex2(aead->context, NULL, NULL, iv, NULL) != 1 ||
        !add_aad(aead->context, true, aad)) {
        return FAIL(INTERNAL, "AES-256-GCM");
    }
    if (size > 0 && EVP_EncryptUpdate(aead->context, data, &done, data, (int)size) != 1) {
        return FAIL(INTERNAL, "AES-256-GCM");
    }
    if (!end_tag(aead->context, ret_tag)) {
        return FAIL(INTERNAL, "AES-256-GCM tag");
    }
    return OK;
}

struct status aead_open(
    struct aead *aead, const uint8_t iv[AEAD_IV_SIZE], struct bytes aad, uint8_t *data, size_t size,
    const uint8_t tag[AEAD_TAG_SIZE])
{
    CHECK(size <= INT_MAX);
    EVP_CIPHER_CTX *context = aead->context;
    uint8_t wanted[AEAD_TAG_SIZE];
    memcpy(wanted, tag, sizeof(wanted));
    int done = 0;
    if (EVP_DecryptInit_ex2(context, NULL, NULL, iv, NULL) != 1 || !add_aad(context, false, aad) ||
        (size > 0 && EVP_DecryptUpdate(context, data, &done, data, (int)size) != 1) ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, wanted) != 1) {
        OPENSSL_cleanse(data, size);
        return FAIL(INTERNAL, "AES-256-GCM");
    }
    uint8_t nothing[AES_BLOCK];
    if (EVP_DecryptFinal_ex(context, nothing, &done) != 1) {
        OPENSSL_cleanse(data, size);
        ERR_clear_error(); /* Expected of damaged bytes; TLS must not find it in the queue. */
        return FAIL(CORRUPT, "sealed bytes do not fit their tag");
    }
    return OK;
}

struct status aead_gmac(
    struct aead *aead, const uint8_t iv[AEAD_IV_SIZE], const struct bytes *parts, size_t count,
    uint8_t ret_tag[AEAD_TAG_SIZE])
{
    if (EVP_EncryptInit_ex2(aead->context, NULL, NULL, iv, NULL) != 1) {
        return FAIL(INTERNAL, "GMAC");
    }
    for (size_t i = 0; i < count; i++) {
        if (!add_aad(aead->context, true, parts[i])) {
            return FAIL(INTERNAL, "GMAC");
        }
    }
    if (!end_tag(aead->context, ret_tag)) {
        return FAIL(INTERNAL, "GMAC tag");
    }
    return OK;
}

static struct status
run_block(const struct secret *key, bool is_encrypting, const uint8_t *in, uint8_t *out)
{
    CHECK(secret_size(key) == SECRET_KEY_SIZE);
    const struct evp_cache *cache;
    TRY(evp_cache_get(&cache));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return FAIL(NO_MEMORY, "AES block");
    }
    int done = 0;
    bool is_ok = EVP_CipherInit_ex2(
                     context, cache->ecb, secret_bytes(key).data, NULL, is_encrypting, NULL) == 1 &&
                 EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
                 EVP_CipherUpdate(context, out, &done, in, AES_BLOCK) == 1 && done == AES_BLOCK;
    EVP_CIPHER_CTX_free(context);
    return is_ok ? OK : FAIL(INTERNAL, "AES block");
}

struct status
aead_block_encrypt(const struct secret *key, const uint8_t in[16], uint8_t ret_out[16])
{
    return run_block(key, true, in, ret_out);
}

struct status
aead_block_decrypt(const struct secret *key, const uint8_t in[16], uint8_t ret_out[16])
{
    return run_block(key, false, in, ret_out);
}
