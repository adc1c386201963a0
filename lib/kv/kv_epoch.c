#include "lib/kv/kv_epoch.h"

#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"
#include "lib/crypto/random.h"

enum { SALT_AT = 4, SALT_SIZE = 32, DEK_AT = 36, MAC_AT = 40 };

static struct status
mac_of(const struct id16 *db, const struct secret *dek, const uint8_t *row, uint8_t ret_mac[32])
{
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive1(dek, "triad/v1/tde/epoch", id16_view(db), &key));
    struct bytes part = bytes_of(row, MAC_AT);
    return digest_hmac(secret_bytes(key), &part, 1, ret_mac);
}

struct status kv_epoch_make(
    const struct id16 *db, uint32_t fence, const struct kv_dek *dek, uint8_t ret_row[KV_EPOCH_SIZE])
{
    uint8_t row[KV_EPOCH_SIZE];
    encode_u32(row, fence);
    TRY(random_bytes(row + SALT_AT, SALT_SIZE));
    encode_u32(row + DEK_AT, dek->version);
    TRY(mac_of(db, dek->key, row, row + MAC_AT));
    memcpy(ret_row, row, sizeof(row));
    return OK;
}

static const struct kv_dek *dek_find(const struct kv_dek *deks, size_t deks_count, uint32_t version)
{
    for (size_t i = 0; i < deks_count; i++) {
        if (deks[i].version == version) {
            return &deks[i];
        }
    }
    return NULL;
}

struct status kv_epoch_open(
    const struct id16 *db, uint32_t fence, const struct kv_dek *deks, size_t deks_count,
    struct bytes row, struct aead **ret_log_key)
{
    if (row.size != KV_EPOCH_SIZE || decode_u32(row.data) != fence) {
        return FAIL(CORRUPT, "epoch row");
    }
    const struct kv_dek *dek = dek_find(deks, deks_count, decode_u32(row.data + DEK_AT));
    if (dek == NULL) {
        return FAIL(DENIED, "epoch row is under a DEK that was not given");
    }
    uint8_t mac[DIGEST_SHA256_SIZE];
    TRY(mac_of(db, dek->key, row.data, mac));
    if (!secret_equal(BYTES_ARRAY(mac), bytes_from(row, MAC_AT))) {
        return FAIL(CORRUPT, "MAC of epoch row");
    }
    uint8_t place[4];
    encode_u32(place, fence);
    struct bytes context[] = {
        id16_view(db), BYTES_ARRAY(place), bytes_slice(row, SALT_AT, SALT_SIZE)};
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive(dek->key, "triad/v1/tde/log", context, 3, &key));
    return aead_new(key, ret_log_key);
}
