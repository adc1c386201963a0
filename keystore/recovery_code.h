#pragma once

/*
 * The recovery code of a shard: 128 bits as 48 digits in 8 groups of 6, each a multiple of 11, so
 * that a slip of the pen is noticed (as BitLocker's). It is shown once and kept nowhere.
 */

#include "lib/crypto/secret.h"

enum { RECOVERY_TEXT_SIZE = 8 * 6 + 7, RECOVERY_SALT_SIZE = 16, RECOVERY_WRAPPED_SIZE = 60 };

/* A new code as text "123456-...": RECOVERY_TEXT_SIZE characters in a secret, no NUL. */
MUST_CHECK struct status recovery_code_new(struct secret **ret_text);

/* The 16 bytes of a text; INVALID names what is wrong. */
MUST_CHECK struct status recovery_code_parse(struct bytes text, struct secret **ret_code);

/* scrypt(code, salt, N = 2^15, r = 8, p = 1): 32 bytes. Takes some 80 ms and 32 MiB. */
MUST_CHECK struct status recovery_code_key(
    const struct secret *code, const uint8_t salt[RECOVERY_SALT_SIZE], struct secret **ret_key);

/* 01 (scrypt) | 0f (log2 N) | r 08 | p 01 | salt16 | KW(key, DEK) 40 */
MUST_CHECK struct status recovery_code_wrap(
    const struct secret *key, const uint8_t salt[RECOVERY_SALT_SIZE], const struct secret *dek,
    uint8_t ret_wrapped[RECOVERY_WRAPPED_SIZE]);

/* With the code alone, from what the shard's header holds. CORRUPT: another code. */
MUST_CHECK struct status
recovery_code_open(struct bytes text, struct bytes wrapped, struct secret **ret_dek);
