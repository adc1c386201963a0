#include "keystore/recovery_code.h"

#include "lib/base/encode.h"
#include "lib/crypto/key_wrap.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
    GROUPS = 8,
    GROUP_DIGITS = 6,
    FACTOR = 11,
    KDF_SCRYPT = 1,
    LOG2_N = 15,
    SCRYPT_R = 8,
    SCRYPT_P = 1,
    SCRYPT_MEMORY = 64 * 1024 * 1024,
    HEADER_SIZE = 4,
};

static void put_group(uint8_t *to, uint32_t value)
{
    for (int digit = GROUP_DIGITS - 1; digit >= 0; digit--) {
        to[digit] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

struct status recovery_code_new(struct secret **ret_text)
{
    OWNED(secret) struct secret *code = NULL;
    OWNED(secret) struct secret *text = NULL;

    TRY(secret_new_random(2 * GROUPS, &code));
    TRY(secret_new(RECOVERY_TEXT_SIZE, &text));
    uint8_t *to = secret_data(text);
    for (size_t i = 0; i < GROUPS; i++) {
        uint32_t value = decode_u16(secret_bytes(code).data + 2 * i);
        if (i > 0) {
            to[i * (GROUP_DIGITS + 1) - 1] = '-';
        }
        put_group(to + i * (GROUP_DIGITS + 1), value * FACTOR);
    }
    *ret_text = TAKE(text);
    return OK;
}

static struct status parse_group(struct bytes group, uint8_t ret[2])
{
    uint32_t value = 0;

    for (size_t i = 0; i < GROUP_DIGITS; i++) {
        if (group.data[i] < '0' || group.data[i] > '9') {
            return FAIL(INVALID, "recovery code: not a digit");
        }
        value = value * 10 + (uint32_t)(group.data[i] - '0');
    }
    if (value % FACTOR != 0 || value / FACTOR > UINT16_MAX) {
        return FAIL(INVALID, "recovery code: a group of six digits is mistyped");
    }
    encode_u16(ret, (uint16_t)(value / FACTOR));
    return OK;
}

struct status recovery_code_parse(struct bytes text, struct secret **ret_code)
{
    OWNED(secret) struct secret *code = NULL;

    if (text.size != RECOVERY_TEXT_SIZE) {
        return FAIL(INVALID, "recovery code must be 8 groups of 6 digits with hyphens");
    }
    TRY(secret_new(2 * GROUPS, &code));
    for (size_t i = 0; i < GROUPS; i++) {
        size_t offset = i * (GROUP_DIGITS + 1);
        if (i > 0 && text.data[offset - 1] != '-') {
            return FAIL(INVALID, "recovery code: groups are separated by hyphens");
        }
        TRY(parse_group(bytes_slice(text, offset, GROUP_DIGITS), secret_data(code) + 2 * i));
    }
    *ret_code = TAKE(code);
    return OK;
}

struct status recovery_code_key(
    const struct secret *code, const uint8_t salt[RECOVERY_SALT_SIZE], struct secret **ret_key)
{
    OWNED(secret) struct secret *key = NULL;

    TRY(secret_new(SECRET_KEY_SIZE, &key));
    int done = EVP_PBE_scrypt(
        (const char *)secret_bytes(code).data, secret_size(code), salt, RECOVERY_SALT_SIZE,
        1ULL << LOG2_N, SCRYPT_R, SCRYPT_P, SCRYPT_MEMORY, secret_data(key), SECRET_KEY_SIZE);
    if (done != 1) {
        return FAIL(INTERNAL, "scrypt");
    }
    *ret_key = TAKE(key);
    return OK;
}

struct status recovery_code_wrap(
    const struct secret *key, const uint8_t salt[RECOVERY_SALT_SIZE], const struct secret *dek,
    uint8_t ret_wrapped[RECOVERY_WRAPPED_SIZE])
{
    const uint8_t header[HEADER_SIZE] = {KDF_SCRYPT, LOG2_N, SCRYPT_R, SCRYPT_P};

    memcpy(ret_wrapped, header, sizeof(header));
    memcpy(ret_wrapped + HEADER_SIZE, salt, RECOVERY_SALT_SIZE);
    return key_wrap(key, dek, ret_wrapped + HEADER_SIZE + RECOVERY_SALT_SIZE);
}

struct status recovery_code_open(struct bytes text, struct bytes wrapped, struct secret **ret_dek)
{
    const uint8_t header[HEADER_SIZE] = {KDF_SCRYPT, LOG2_N, SCRYPT_R, SCRYPT_P};
    OWNED(secret) struct secret *code = NULL;
    OWNED(secret) struct secret *key = NULL;

    if (wrapped.size != RECOVERY_WRAPPED_SIZE || !bytes_starts_with(wrapped, BYTES_ARRAY(header))) {
        return FAIL(INVALID, "not a key wrapped under a recovery code");
    }
    TRY(recovery_code_parse(text, &code));
    TRY(recovery_code_key(code, wrapped.data + HEADER_SIZE, &key));
    return key_unwrap(key, bytes_from(wrapped, HEADER_SIZE + RECOVERY_SALT_SIZE), ret_dek);
}
