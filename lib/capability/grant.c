/*
 * A grant (120), big-endian:
 *
 *    0  "TGR1" | rights u16 | 0^2 | exp u64 | tenant16 | bucket16 | cnf32 | key_no u32 | epoch u32
 *   88  mac32 = HMAC-SHA-256(K_grant, "triad/v1/grant" | 00 | first 88 bytes)
 */

#include "lib/capability/grant.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/kdf.h"

enum {
    GRANT_BODY_SIZE = 88,
    GRANT_MAC_SIZE = 32,
    RIGHTS_KNOWN = GRANT_READ | GRANT_WRITE | GRANT_ADMIN | GRANT_LIST_BUCKETS,
};

static const char grant_magic[4] = {'T', 'G', 'R', '1'};

struct status
grant_key(const struct secret *gk, uint32_t shard, uint32_t hour, struct secret **ret_key)
{
    uint8_t context[8];
    encode_u32(context, shard);
    encode_u32(context + 4, hour);
    return kdf_derive1(gk, "triad/v1/gk", BYTES_ARRAY(context), ret_key);
}

static struct status grant_mac(const struct secret *key, const uint8_t *body, uint8_t *ret_mac)
{
    static const char label[] = "triad/v1/grant"; /* Its NUL separates it. */
    struct bytes parts[] = {BYTES_ARRAY(label), bytes_of(body, GRANT_BODY_SIZE)};
    return digest_hmac(secret_bytes(key), parts, 2, ret_mac);
}

struct status
grant_mint(const struct secret *grant_key, const struct grant *grant, uint8_t ret[GRANT_SIZE])
{
    struct grant again;
    memset(ret, 0, GRANT_SIZE);
    memcpy(ret, grant_magic, sizeof(grant_magic));
    encode_u16(ret + 4, grant->rights);
    encode_u64(ret + 8, grant->exp);
    memcpy(ret + 16, grant->tenant.bytes, ID16_SIZE);
    memcpy(ret + 32, grant->bucket.bytes, ID16_SIZE);
    memcpy(ret + 48, grant->cnf, sizeof(grant->cnf));
    encode_u32(ret + 80, grant->key_no);
    encode_u32(ret + 84, grant->epoch);
    TRY(grant_decode(bytes_of(ret, GRANT_SIZE), &again));
    return grant_mac(grant_key, ret, ret + GRANT_BODY_SIZE);
}

static struct status check_rights(const struct grant *grant)
{
    if (grant->rights == 0 || (grant->rights & ~RIGHTS_KNOWN) != 0) {
        return FAIL(INVALID, "rights of a grant");
    }
    if ((grant->rights & GRANT_LIST_BUCKETS) != 0 && !id16_is_zero(&grant->bucket)) {
        return FAIL(INVALID, "bucket of a grant to list buckets");
    }
    return OK;
}

struct status grant_decode(struct bytes encoded, struct grant *ret_grant)
{
    struct reader reader = reader_of(encoded);
    struct grant grant = {0};
    if (encoded.size != GRANT_SIZE) {
        return FAIL(INVALID, "length of a grant");
    }
    if (!bytes_equal(reader_take(&reader, sizeof(grant_magic)), BYTES_ARRAY(grant_magic))) {
        return FAIL(INVALID, "magic of a grant");
    }
    grant.rights = reader_u16(&reader);
    reader_zeros(&reader, 2);
    grant.exp = reader_u64(&reader);
    reader_copy(&reader, grant.tenant.bytes, ID16_SIZE);
    reader_copy(&reader, grant.bucket.bytes, ID16_SIZE);
    reader_copy(&reader, grant.cnf, sizeof(grant.cnf));
    grant.key_no = reader_u32(&reader);
    grant.epoch = reader_u32(&reader);
    if (reader_failed(&reader)) {
        return FAIL(INVALID, "reserved bytes of a grant");
    }
    CHECK(reader.rest.size == GRANT_MAC_SIZE);
    TRY(check_rights(&grant));
    *ret_grant = grant;
    return OK;
}

struct status grant_verify(
    const struct secret *grant_key, struct bytes encoded, uint64_t now_s,
    const uint8_t cert_sha256[32], uint32_t min_epoch, struct grant *ret_grant)
{
    struct grant grant;
    uint8_t mac[GRANT_MAC_SIZE];
    TRY(grant_decode(encoded, &grant));
    TRY(grant_mac(grant_key, encoded.data, mac));
    if (!secret_equal(BYTES_ARRAY(mac), bytes_from(encoded, GRANT_BODY_SIZE))) {
        return FAIL(DENIED, "MAC of a grant");
    }
    if (now_s >= grant.exp) {
        return FAIL(DENIED, "grant has expired");
    }
    if (grant.exp - now_s > GRANT_LIFE_MAX_S) {
        return FAIL(DENIED, "grant lives too long");
    }
    if (!secret_equal(BYTES_ARRAY(grant.cnf), bytes_of(cert_sha256, sizeof(grant.cnf)))) {
        return FAIL(DENIED, "grant is bound to another certificate");
    }
    if (grant.epoch < min_epoch) {
        return FAIL(DENIED, "grant was revoked by epoch");
    }
    *ret_grant = grant;
    return OK;
}
