#pragma once

/*
 * What OpenSSL makes dear is done once: algorithms are fetched once a process, the contexts for
 * SHA-256 and HMAC made once a thread and freed with it. Inside lib/crypto only.
 */

#include "lib/base/status.h"

#include <openssl/evp.h>

struct evp_cache {
    EVP_CIPHER *gcm;
    EVP_CIPHER *ecb;
    EVP_CIPHER *wrap;
    EVP_CIPHER *wrap_padded;
    EVP_MD *sha256;
    EVP_MD *md5; /* NULL under a provider without it. */
    EVP_MAC *hmac;
};

struct evp_thread {
    EVP_MD_CTX *sha256;
    EVP_MAC_CTX *hmac; /* With SHA-256; holds no key between calls. */
};

/* INTERNAL when the provider lacks an algorithm that Triad cannot do without. */
MUST_CHECK struct status evp_cache_get(const struct evp_cache **ret_cache);

/* The calling thread's contexts. */
MUST_CHECK struct status evp_cache_thread(struct evp_thread **ret_thread);
