/*
 * handle (184) = "THD1" | purpose u8 | 0^1 | rights u16 | start u64 | tenant16 | bucket16 | data16
 *                | cnf32 | policy_sha256 32 | access key 20 | 0^4
 *                | HMAC-SHA-256(D(root of Keys,"triad/v1/handle",""), all before) 32
 */

#include "keystore/handle.h"

#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"

enum { MAC_OFFSET = HANDLE_SIZE - 32, CLOCK_STEP_S = 60 };

struct status handle_key(const struct secret *root, struct secret **ret_key)
{
    return kdf_derive1(root, "triad/v1/handle", bytes_of(NULL, 0), ret_key);
}

static struct status
mac_of(const struct secret *key, const uint8_t *sealed, uint8_t ret_mac[DIGEST_SHA256_SIZE])
{
    struct bytes covered = bytes_of(sealed, MAC_OFFSET);

    return digest_hmac(secret_bytes(key), &covered, 1, ret_mac);
}

struct status
handle_seal(const struct secret *key, const struct handle *handle, uint8_t ret_sealed[HANDLE_SIZE])
{
    uint8_t *to = ret_sealed;

    memset(to, 0, HANDLE_SIZE);
    memcpy(to, "THD1", 4);
    to[4] = (uint8_t)handle->purpose;
    encode_u16(to + 6, handle->rights);
    encode_u64(to + 8, handle->start_s);
    memcpy(to + 16, handle->tenant.bytes, ID16_SIZE);
    memcpy(to + 32, handle->bucket.bytes, ID16_SIZE);
    memcpy(to + 48, handle->data.bytes, ID16_SIZE);
    memcpy(to + 64, handle->cnf, 32);
    memcpy(to + 96, handle->policy_sha256, 32);
    memcpy(to + 128, handle->access_key, HANDLE_ACCESS_KEY_SIZE);
    return mac_of(key, to, to + MAC_OFFSET);
}

static void decode(const uint8_t *from, struct handle *handle)
{
    handle->purpose = (enum handle_purpose)from[4];
    handle->rights = decode_u16(from + 6);
    handle->start_s = decode_u64(from + 8);
    memcpy(handle->tenant.bytes, from + 16, ID16_SIZE);
    memcpy(handle->bucket.bytes, from + 32, ID16_SIZE);
    memcpy(handle->data.bytes, from + 48, ID16_SIZE);
    memcpy(handle->cnf, from + 64, 32);
    memcpy(handle->policy_sha256, from + 96, 32);
    memcpy(handle->access_key, from + 128, HANDLE_ACCESS_KEY_SIZE);
}

struct status handle_open(
    const struct secret *key, struct bytes sealed, const uint8_t cert_sha256[32], uint64_t now_s,
    uint64_t life_max_s, struct handle *ret_handle)
{
    uint8_t mac[DIGEST_SHA256_SIZE];
    struct handle handle;

    if (sealed.size != HANDLE_SIZE || memcmp(sealed.data, "THD1", 4) != 0) {
        return FAIL(DENIED, "not a handle");
    }
    TRY(mac_of(key, sealed.data, mac));
    if (!secret_equal(BYTES_ARRAY(mac), bytes_from(sealed, MAC_OFFSET))) {
        return FAIL(DENIED, "handle was not made by this key store");
    }
    decode(sealed.data, &handle);
    if (!secret_equal(BYTES_ARRAY(handle.cnf), bytes_of(cert_sha256, 32))) {
        return FAIL(DENIED, "handle belongs to another certificate");
    }
    if (handle.start_s > now_s + CLOCK_STEP_S || now_s > handle.start_s + life_max_s) {
        return FAIL(DENIED, "handle is too old");
    }
    *ret_handle = handle;
    return OK;
}
