#pragma once

/* SHA-256, MD5 (only for S3's ETag and Content-MD5), HMAC-SHA-256, CRC32, CRC32C. */

#include "lib/base/bytes.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"
#include "lib/crypto/secret.h"

enum { DIGEST_SHA256_SIZE = 32, DIGEST_MD5_SIZE = 16 };

enum digest_kind { DIGEST_SHA256, DIGEST_MD5 };

/* SHA-256 over count parts joined. */
MUST_CHECK struct status
digest_sha256(const struct bytes *parts, size_t count, uint8_t ret_digest[DIGEST_SHA256_SIZE]);

/* HMAC-SHA-256 over count parts joined. */
MUST_CHECK struct status digest_hmac(
    struct bytes key, const struct bytes *parts, size_t count, uint8_t ret_mac[DIGEST_SHA256_SIZE]);

/* A digest of a stream. One thread. */
struct digest;
MUST_CHECK struct status digest_new(enum digest_kind kind, struct digest **ret_digest);
MUST_CHECK struct status digest_add(struct digest *digest, struct bytes bytes);
/* Ends the stream; ret_value has room for the kind's size. The next digest_add starts a new one. */
MUST_CHECK struct status digest_end(struct digest *digest, uint8_t *ret_value);
void digest_free(struct digest *digest);

/* CRC32 as in zlib and S3's x-amz-checksum-crc32, continued from crc (0 at first). */
uint32_t digest_crc32(uint32_t crc, struct bytes bytes);
/* CRC32C (Castagnoli), continued from crc (0 at first). */
uint32_t digest_crc32c(uint32_t crc, struct bytes bytes);

DEFINE_OWNED(digest)
