#include "keystore/key_authorize.h"

#include <stdlib.h>

#include <openssl/crypto.h>

void key_authorize_result_free(struct key_authorize_result *result)
{
    if (result == NULL) {
        return;
    }
    secret_free(result->attribute_key);
    secret_free(result->object_key);
    OPENSSL_cleanse(result, sizeof(*result)); /* The grant and the handle are rights. */
    free(result);
}

const char *key_authorize_verdict_name(enum key_verdict verdict)
{
    static const char *const names[] = {
        [KEY_REFUSED] = "REFUSED",
        [KEY_ALLOWED] = "ALLOWED",
        [KEY_MALFORMED] = "MALFORMED",
        [KEY_UNKNOWN_KEY] = "UNKNOWN_KEY",
        [KEY_BAD_SIGNATURE] = "BAD_SIGNATURE",
        [KEY_SKEWED] = "SKEWED",
        [KEY_EXPIRED] = "EXPIRED",
        [KEY_FORBIDDEN] = "FORBIDDEN",
        [KEY_NO_SUCH_BUCKET] = "NO_SUCH_BUCKET",
        [KEY_MISMATCH] = "MISMATCH",
        [KEY_BUSY] = "BUSY",
        [KEY_FAILED] = "FAILED",
        [KEY_UNSUPPORTED] = "UNSUPPORTED",
    };

    return (size_t)verdict < sizeof(names) / sizeof(names[0]) ? names[verdict] : "?";
}
