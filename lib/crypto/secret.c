#include "lib/crypto/secret.h"

#include "lib/base/check.h"

#include <errno.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

/* Header and bytes lie together in the secure heap, whose smallest block is SECRET_BLOCK. */
struct secret {
    size_t size;
    uint8_t data[];
};

enum { SECRET_BLOCK = 32, HEAP_LOCKED = 1 };

struct status secret_heap_init(size_t heap_size, bool is_required)
{
    CHECK(heap_size >= SECRET_SIZE_MAX * 4 && (heap_size & (heap_size - 1)) == 0);
    struct rlimit no_core = {0, 0};
    if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return FAIL_ERRNO(errno, "forbid core dumps");
    }
    if (CRYPTO_secure_malloc_initialized()) {
        return FAIL(CONFLICT, "secure heap was made already");
    }
    int made = CRYPTO_secure_malloc_init(heap_size, SECRET_BLOCK);
    if (is_required && made != HEAP_LOCKED) {
        /* Nothing is in it yet; so that no secret can land in memory that may be swapped. */
        CRYPTO_secure_malloc_done();
        return FAIL(NO_MEMORY, "secure heap cannot be locked; raise RLIMIT_MEMLOCK");
    }
    return OK;
}

struct status secret_new(size_t size, struct secret **ret_secret)
{
    if (size > SECRET_SIZE_MAX) {
        return FAIL(TOO_LARGE, "secret");
    }
    struct secret *secret = OPENSSL_secure_zalloc(sizeof(*secret) + size);
    if (secret == NULL) {
        return FAIL(NO_MEMORY, "secure heap is full");
    }
    secret->size = size;
    *ret_secret = secret;
    return OK;
}

struct status secret_new_random(size_t size, struct secret **ret_secret)
{
    OWNED(secret) struct secret *secret = NULL;
    TRY(secret_new(size, &secret));
    if (size > 0 && RAND_priv_bytes(secret->data, (int)size) != 1) {
        return FAIL(INTERNAL, "private random generator");
    }
    *ret_secret = TAKE(secret);
    return OK;
}

struct status secret_new_copy(struct bytes bytes, struct secret **ret_secret)
{
    struct secret *secret;
    TRY(secret_new(bytes.size, &secret));
    if (bytes.size > 0) {
        memcpy(secret->data, bytes.data, bytes.size);
    }
    *ret_secret = secret;
    return OK;
}

void secret_free(struct secret *secret)
{
    if (secret != NULL) {
        OPENSSL_secure_clear_free(secret, sizeof(*secret) + secret->size);
    }
}

struct bytes secret_bytes(const struct secret *secret)
{
    return bytes_of(secret->data, secret->size);
}

uint8_t *secret_data(struct secret *secret)
{
    return secret->data;
}

size_t secret_size(const struct secret *secret)
{
    return secret->size;
}

bool secret_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || CRYPTO_memcmp(a.data, b.data, a.size) == 0);
}
