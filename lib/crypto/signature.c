/*
 * alg 1: Ed25519, SPKI = the 12 bytes of RFC 8410 and the key's 32, signature 64 bytes.
 * alg 2: ECDSA over P-256 with SHA-256, SPKI with the uncompressed point, signature r32 | s32.
 */

#include "lib/crypto/signature.h"

#include "lib/base/check.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/evp_cache.h"

#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

enum { SCALAR_SIZE = 32, POINT_NAME_MAX = 32, DER_MAX = 80, MESSAGE_MAX = 1024 * 1024 };

static const uint8_t ed25519_spki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

/* OpenSSL's types, released at scope end. */
static void pkey_release(EVP_PKEY **owned)
{
    EVP_PKEY_free(*owned);
}
static void md_context_release(EVP_MD_CTX **owned)
{
    EVP_MD_CTX_free(*owned);
}
static void pkcs8_release(PKCS8_PRIV_KEY_INFO **owned)
{
    PKCS8_PRIV_KEY_INFO_free(*owned);
}
static void ecdsa_release(ECDSA_SIG **owned)
{
    ECDSA_SIG_free(*owned);
}

static bool is_alg(const EVP_PKEY *key, enum signature_alg alg)
{
    if (alg == SIGNATURE_ED25519) {
        return EVP_PKEY_is_a(key, "ED25519") == 1;
    }
    char group[POINT_NAME_MAX];
    size_t size = 0;
    return alg == SIGNATURE_P256 && EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static struct status append_spki(const EVP_PKEY *key, struct buffer *spki)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    if (size <= 0 || size > SIGNATURE_SPKI_MAX) {
        OPENSSL_free(der);
        return FAIL(INTERNAL, "encode public key");
    }
    buffer_add(spki, bytes_of(der, (size_t)size));
    OPENSSL_free(der);
    return buffer_status(spki);
}

static struct status export_pkcs8(const EVP_PKEY *key, struct secret **ret_pkcs8)
{
    OWNED(pkcs8) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int size = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
    if (size <= 0) {
        return FAIL(INTERNAL, "encode private key");
    }
    OWNED(secret) struct secret *pkcs8 = NULL;
    TRY(secret_new((size_t)size, &pkcs8));
    uint8_t *to = secret_data(pkcs8);
    if (i2d_PKCS8_PRIV_KEY_INFO(info, &to) != size) {
        return FAIL(INTERNAL, "encode private key");
    }
    *ret_pkcs8 = TAKE(pkcs8);
    return OK;
}

struct status
signature_generate(enum signature_alg alg, struct secret **ret_pkcs8, struct buffer *spki)
{
    OWNED(pkey)
    EVP_PKEY *key = alg == SIGNATURE_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                             : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    if (key == NULL) {
        return FAIL(INTERNAL, "generate key pair");
    }
    OWNED(secret) struct secret *pkcs8 = NULL;
    TRY(export_pkcs8(key, &pkcs8));
    TRY(append_spki(key, spki));
    *ret_pkcs8 = TAKE(pkcs8);
    return OK;
}

/* The private key, NULL unless pkcs8 is exactly one of alg. */
static EVP_PKEY *load_private(enum signature_alg alg, const struct secret *pkcs8)
{
    struct bytes der = secret_bytes(pkcs8);
    const uint8_t *at = der.data;
    OWNED(pkcs8) PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.size);
    if (info == NULL || at != der.data + der.size) {
        return NULL;
    }
    EVP_PKEY *key = EVP_PKCS82PKEY(info);
    if (key != NULL && !is_alg(key, alg)) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* A key has one encoding only, so that its kid is unique. */
static bool is_canonical(const EVP_PKEY *key, struct bytes spki)
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    bool is_same = size > 0 && bytes_equal(bytes_of(der, (size_t)size), spki);
    OPENSSL_free(der);
    return is_same;
}

static EVP_PKEY *load_public(enum signature_alg alg, struct bytes spki)
{
    if (alg == SIGNATURE_ED25519) {
        /* Without OpenSSL's decoders, which take longer than the check of a signature. */
        if (spki.size != sizeof(ed25519_spki) + SCALAR_SIZE ||
            !bytes_starts_with(spki, BYTES_ARRAY(ed25519_spki))) {
            return NULL;
        }
        return EVP_PKEY_new_raw_public_key_ex(
            NULL, "ED25519", NULL, spki.data + sizeof(ed25519_spki), SCALAR_SIZE);
    }
    if (spki.size == 0 || spki.size > SIGNATURE_SPKI_MAX) {
        return NULL;
    }
    const uint8_t *at = spki.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.size);
    if (key != NULL && (!is_alg(key, alg) || !is_canonical(key, spki))) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

/* prefix || message: Ed25519 wants it in one piece. */
static struct status
join(struct bytes prefix, struct bytes message, uint8_t **ret_joined, size_t *ret_size)
{
    if (message.size > MESSAGE_MAX || prefix.size > MESSAGE_MAX) {
        return FAIL(TOO_LARGE, "message to sign");
    }
    uint8_t *joined = malloc(prefix.size + message.size + 1);
    if (joined == NULL) {
        return FAIL(NO_MEMORY, "message to sign");
    }
    if (prefix.size > 0) {
        memcpy(joined, prefix.data, prefix.size);
    }
    if (message.size > 0) {
        memcpy(joined + prefix.size, message.data, message.size);
    }
    *ret_joined = joined;
    *ret_size = prefix.size + message.size;
    return OK;
}

static const char *digest_name(enum signature_alg alg)
{
    return alg == SIGNATURE_ED25519 ? NULL : "SHA256";
}

/* DER { r, s } to r32 | s32. */
static bool to_raw(const uint8_t *der, size_t size, uint8_t *raw)
{
    OWNED(ecdsa) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size);
    return pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, SCALAR_SIZE) == SCALAR_SIZE &&
           BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + SCALAR_SIZE, SCALAR_SIZE) == SCALAR_SIZE;
}

/* r32 | s32 to DER, into der with room for DER_MAX bytes; 0 on failure. */
static size_t to_der(const uint8_t *raw, uint8_t *der)
{
    OWNED(ecdsa) ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, SCALAR_SIZE, NULL);
    BIGNUM *s = BN_bin2bn(raw + SCALAR_SIZE, SCALAR_SIZE, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return 0;
    }
    int size = i2d_ECDSA_SIG(pair, NULL);
    if (size <= 0 || size > DER_MAX) {
        return 0;
    }
    return (size_t)i2d_ECDSA_SIG(pair, &der);
}

static struct status sign_joined(
    enum signature_alg alg, EVP_PKEY *key, const uint8_t *message, size_t size,
    uint8_t *ret_signature)
{
    OWNED(md_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t signature[DER_MAX];
    size_t signature_size = sizeof(signature);
    if (context == NULL) {
        return FAIL(NO_MEMORY, "sign");
    }
    if (EVP_DigestSignInit_ex(context, NULL, digest_name(alg), NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(context, signature, &signature_size, message, size) != 1) {
        ERR_clear_error();
        return FAIL(INTERNAL, "sign");
    }
    if (alg == SIGNATURE_P256) {
        return to_raw(signature, signature_size, ret_signature)
                   ? OK
                   : FAIL(INTERNAL, "encode signature");
    }
    CHECK(signature_size == SIGNATURE_SIZE);
    memcpy(ret_signature, signature, SIGNATURE_SIZE);
    return OK;
}

struct status signature_sign(
    enum signature_alg alg, const struct secret *pkcs8, struct bytes prefix, struct bytes message,
    uint8_t ret_signature[SIGNATURE_SIZE])
{
    OWNED(pkey) EVP_PKEY *key = load_private(alg, pkcs8);
    if (key == NULL) {
        ERR_clear_error();
        return FAIL(INVALID, "private key of another algorithm");
    }
    uint8_t *joined = NULL;
    size_t size = 0;
    TRY(join(prefix, message, &joined, &size));
    struct status status = sign_joined(alg, key, joined, size, ret_signature);
    free(joined);
    return status;
}

static struct status verify_joined(
    enum signature_alg alg, EVP_PKEY *key, const uint8_t *message, size_t size,
    const uint8_t *signature)
{
    uint8_t der[DER_MAX];
    const uint8_t *encoded = signature;
    size_t encoded_size = SIGNATURE_SIZE;
    if (alg == SIGNATURE_P256) {
        encoded = der;
        encoded_size = to_der(signature, der);
    }
    OWNED(md_context) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) {
        return FAIL(NO_MEMORY, "verify");
    }
    if (EVP_DigestVerifyInit_ex(context, NULL, digest_name(alg), NULL, NULL, key, NULL) != 1) {
        ERR_clear_error();
        return FAIL(INTERNAL, "verify");
    }
    if (encoded_size == 0 || EVP_DigestVerify(context, encoded, encoded_size, message, size) != 1) {
        ERR_clear_error(); /* Expected of a forgery; TLS must not find it in the queue. */
        return FAIL(DENIED, "signature is wrong");
    }
    return OK;
}

struct status signature_verify(
    enum signature_alg alg, struct bytes spki, struct bytes prefix, struct bytes message,
    struct bytes signature)
{
    OWNED(pkey) EVP_PKEY *key = load_public(alg, spki);
    if (key == NULL) {
        ERR_clear_error();
        return FAIL(INVALID, "public key of another algorithm");
    }
    if (signature.size != SIGNATURE_SIZE) {
        return FAIL(DENIED, "signature is not 64 bytes");
    }
    uint8_t *joined = NULL;
    size_t size = 0;
    TRY(join(prefix, message, &joined, &size));
    struct status status = verify_joined(alg, key, joined, size, signature.data);
    free(joined);
    return status;
}

struct status signature_kid(struct bytes spki, uint8_t ret_kid[SIGNATURE_KID_SIZE])
{
    uint8_t digest[DIGEST_SHA256_SIZE];
    TRY(digest_sha256(&spki, 1, digest));
    memcpy(ret_kid, digest, SIGNATURE_KID_SIZE);
    return OK;
}
