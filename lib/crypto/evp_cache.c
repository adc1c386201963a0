#include "lib/crypto/evp_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

static pthread_once_t cache_once = PTHREAD_ONCE_INIT;
static struct evp_cache cache; /* Immutable once filled; lives as long as the process. */
static pthread_key_t thread_key;
static bool has_thread_key;

static _Thread_local struct evp_thread *thread_contexts; /* Owned by thread_key. */

static void free_thread(void *pointer)
{
    struct evp_thread *thread = pointer;
    EVP_MD_CTX_free(thread->sha256);
    EVP_MAC_CTX_free(thread->hmac);
    free(thread);
    thread_contexts = NULL;
}

static void fill(void)
{
    cache = (struct evp_cache){
        .gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL),
        .ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL),
        .wrap = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL),
        .wrap_padded = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL),
        .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
        .md5 = EVP_MD_fetch(NULL, "MD5", NULL),
        .hmac = EVP_MAC_fetch(NULL, "HMAC", NULL),
    };
    has_thread_key = pthread_key_create(&thread_key, free_thread) == 0;
}

struct status evp_cache_get(const struct evp_cache **ret_cache)
{
    pthread_once(&cache_once, fill);
    if (cache.gcm == NULL || cache.ecb == NULL || cache.wrap == NULL || cache.wrap_padded == NULL ||
        cache.sha256 == NULL || cache.hmac == NULL) {
        return FAIL(INTERNAL, "OpenSSL's provider lacks an algorithm");
    }
    *ret_cache = &cache;
    return OK;
}

static bool fill_thread(struct evp_thread *thread)
{
    char name[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    thread->sha256 = EVP_MD_CTX_new();
    thread->hmac = EVP_MAC_CTX_new(cache.hmac);
    return thread->sha256 != NULL && thread->hmac != NULL &&
           EVP_MAC_CTX_set_params(thread->hmac, parameters) == 1;
}

struct status evp_cache_thread(struct evp_thread **ret_thread)
{
    if (thread_contexts == NULL) {
        const struct evp_cache *algorithms;
        TRY(evp_cache_get(&algorithms));
        struct evp_thread *thread = calloc(1, sizeof(*thread));
        if (thread == NULL) {
            return FAIL(NO_MEMORY, "digest contexts of a thread");
        }
        if (!fill_thread(thread) || !has_thread_key ||
            pthread_setspecific(thread_key, thread) != 0) {
            free_thread(thread);
            return FAIL(NO_MEMORY, "digest contexts of a thread");
        }
        thread_contexts = thread;
    }
    *ret_thread = thread_contexts;
    return OK;
}
