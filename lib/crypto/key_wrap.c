/*
 * RFC 3394: wrapped = 8 bytes longer than the key, a multiple of 8. RFC 5649: the key is padded
 * with zeros to a multiple of 8 and its length is inside. Both carry a 64-bit check of integrity.
 */

#include "lib/crypto/key_wrap.h"

#include "lib/base/check.h"
#include "lib/crypto/evp_cache.h"

#include <openssl/err.h>
#include <openssl/evp.h>

enum { WRAP_UNIT = 8, WRAPPED_MAX = SECRET_SIZE_MAX + 2 * WRAP_UNIT };

enum direction { UNWRAP, WRAP };

/* Run the cipher over in; out has room for in and 16 bytes more. Freeing a context wipes it. */
static struct status
run(const EVP_CIPHER *cipher, enum direction direction, const struct secret *kek, struct bytes in,
    uint8_t *out, size_t *ret_size)
{
    CHECK(secret_size(kek) == SECRET_KEY_SIZE);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL) {
        return FAIL(NO_MEMORY, "key wrap");
    }
    int written = 0;
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool is_ready = EVP_CipherInit_ex2(
                        context, cipher, secret_bytes(kek).data, NULL, (int)direction, NULL) == 1;
    bool is_done = is_ready && EVP_CipherUpdate(context, out, &written, in.data, (int)in.size) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!is_ready) {
        return FAIL(INTERNAL, "key wrap cipher");
    }
    if (!is_done || written <= 0) {
        ERR_clear_error(); /* Expected of a wrong key; TLS must not find it in the queue. */
        return FAIL(CORRUPT, "wrapped key does not fit its wrapping key");
    }
    *ret_size = (size_t)written;
    return OK;
}

/* OpenSSL wipes as many bytes as went in when the check fails: more room than the key needs. */
static struct status unwrap(
    const EVP_CIPHER *cipher, const struct secret *kek, struct bytes wrapped,
    struct secret **ret_key)
{
    uint8_t room[WRAPPED_MAX];
    CHECK(wrapped.size <= sizeof(room));
    size_t size = 0;
    struct status status = run(cipher, UNWRAP, kek, wrapped, room, &size);
    if (status_ok(status)) {
        status = secret_new_copy(bytes_of(room, size), ret_key);
    }
    OPENSSL_cleanse(room, sizeof(room));
    return status;
}

struct status
key_wrap(const struct secret *kek, const struct secret *key, uint8_t ret_wrapped[KEY_WRAP_SIZE])
{
    CHECK(secret_size(key) == SECRET_KEY_SIZE);
    const struct evp_cache *cache;
    TRY(evp_cache_get(&cache));
    size_t size = 0;
    TRY(run(cache->wrap, WRAP, kek, secret_bytes(key), ret_wrapped, &size));
    CHECK(size == KEY_WRAP_SIZE);
    return OK;
}

struct status key_unwrap(const struct secret *kek, struct bytes wrapped, struct secret **ret_key)
{
    if (wrapped.size != KEY_WRAP_SIZE) {
        return FAIL(INVALID, "wrapped key is not 40 bytes");
    }
    const struct evp_cache *cache;
    TRY(evp_cache_get(&cache));
    return unwrap(cache->wrap, kek, wrapped, ret_key);
}

struct status
key_wrap_padded(const struct secret *kek, const struct secret *key, struct buffer *wrapped)
{
    if (secret_size(key) == 0) {
        return FAIL(INVALID, "empty key to wrap");
    }
    const struct evp_cache *cache;
    TRY(evp_cache_get(&cache));
    uint8_t out[WRAPPED_MAX];
    size_t size = 0;
    TRY(run(cache->wrap_padded, WRAP, kek, secret_bytes(key), out, &size));
    buffer_add(wrapped, bytes_of(out, size));
    return buffer_status(wrapped);
}

struct status
key_unwrap_padded(const struct secret *kek, struct bytes wrapped, struct secret **ret_key)
{
    if (wrapped.size < 2 * WRAP_UNIT || wrapped.size % WRAP_UNIT != 0 ||
        wrapped.size > SECRET_SIZE_MAX + WRAP_UNIT) {
        return FAIL(INVALID, "length of a padded wrapped key");
    }
    const struct evp_cache *cache;
    TRY(evp_cache_get(&cache));
    return unwrap(cache->wrap_padded, kek, wrapped, ret_key);
}
