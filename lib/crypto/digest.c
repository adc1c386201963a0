#include "lib/crypto/digest.h"

#include "lib/base/check.h"
#include "lib/crypto/evp_cache.h"

#include <isa-l/crc.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/evp.h>

struct digest {
    EVP_MD_CTX *context; /* Owned. */
    const EVP_MD *algorithm;
    bool is_begun;
};

struct status
digest_sha256(const struct bytes *parts, size_t count, uint8_t ret_digest[DIGEST_SHA256_SIZE])
{
    const struct evp_cache *cache;
    struct evp_thread *thread;
    TRY(evp_cache_get(&cache));
    TRY(evp_cache_thread(&thread));
    if (EVP_DigestInit_ex2(thread->sha256, cache->sha256, NULL) != 1) {
        return FAIL(INTERNAL, "begin SHA-256");
    }
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(thread->sha256, parts[i].data, parts[i].size) != 1) {
            return FAIL(INTERNAL, "SHA-256");
        }
    }
    if (EVP_DigestFinal_ex(thread->sha256, ret_digest, NULL) != 1) {
        return FAIL(INTERNAL, "end SHA-256");
    }
    return OK;
}

static bool mac_parts(
    EVP_MAC_CTX *context, struct bytes key, const struct bytes *parts, size_t count, uint8_t *mac)
{
    /* No pointer would mean: the key of the last call. */
    const uint8_t *key_data = key.size == 0 ? (const uint8_t *)"" : key.data;
    if (EVP_MAC_init(context, key_data, key.size, NULL) != 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0 && EVP_MAC_update(context, parts[i].data, parts[i].size) != 1) {
            return false;
        }
    }
    size_t size = 0;
    return EVP_MAC_final(context, mac, &size, DIGEST_SHA256_SIZE) == 1 &&
           size == DIGEST_SHA256_SIZE;
}

struct status digest_hmac(
    struct bytes key, const struct bytes *parts, size_t count, uint8_t ret_mac[DIGEST_SHA256_SIZE])
{
    static const uint8_t no_key[DIGEST_SHA256_SIZE];
    struct evp_thread *thread;
    TRY(evp_cache_thread(&thread));
    bool is_done = mac_parts(thread->hmac, key, parts, count, ret_mac);
    /* The context lives on in the thread, the key must not. */
    bool is_wiped = EVP_MAC_init(thread->hmac, no_key, sizeof(no_key), NULL) == 1;
    if (!is_done || !is_wiped) {
        return FAIL(INTERNAL, "HMAC-SHA-256");
    }
    return OK;
}

struct status digest_new(enum digest_kind kind, struct digest **ret_digest)
{
    const struct evp_cache *cache;
    TRY(evp_cache_get(&cache));
    const EVP_MD *algorithm = kind == DIGEST_MD5 ? cache->md5 : cache->sha256;
    if (algorithm == NULL) {
        return FAIL(UNSUPPORTED, "MD5 is not in OpenSSL's provider");
    }
    OWNED(digest) struct digest *digest = calloc(1, sizeof(*digest));
    if (digest == NULL) {
        return FAIL(NO_MEMORY, "digest");
    }
    digest->algorithm = algorithm;
    digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL) {
        return FAIL(NO_MEMORY, "digest");
    }
    *ret_digest = TAKE(digest);
    return OK;
}

static struct status begin(struct digest *digest)
{
    if (!digest->is_begun && EVP_DigestInit_ex2(digest->context, digest->algorithm, NULL) != 1) {
        return FAIL(INTERNAL, "begin digest");
    }
    digest->is_begun = true;
    return OK;
}

struct status digest_add(struct digest *digest, struct bytes bytes)
{
    TRY(begin(digest));
    if (EVP_DigestUpdate(digest->context, bytes.data, bytes.size) != 1) {
        return FAIL(INTERNAL, "digest");
    }
    return OK;
}

struct status digest_end(struct digest *digest, uint8_t *ret_value)
{
    TRY(begin(digest));
    digest->is_begun = false;
    if (EVP_DigestFinal_ex(digest->context, ret_value, NULL) != 1) {
        return FAIL(INTERNAL, "end digest");
    }
    return OK;
}

void digest_free(struct digest *digest)
{
    if (digest != NULL) {
        EVP_MD_CTX_free(digest->context);
        free(digest);
    }
}

uint32_t digest_crc32(uint32_t crc, struct bytes bytes)
{
    return bytes.size == 0 ? crc : crc32_gzip_refl(crc, bytes.data, bytes.size);
}

/* ISA-L's leaves out the inversions of the standard and takes an int for the length. */
uint32_t digest_crc32c(uint32_t crc, struct bytes bytes)
{
    crc = ~crc;
    while (bytes.size > 0) {
        size_t step = bytes.size < INT_MAX ? bytes.size : INT_MAX;
        /* It only reads, but does not say const. */
        crc = crc32_iscsi((uint8_t *)(uintptr_t)bytes.data, (int)step, crc);
        bytes = bytes_from(bytes, step);
    }
    return ~crc;
}
