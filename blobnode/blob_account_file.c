#include "blobnode/blob_account_file.h"

#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/crypto/digest.h"

/*
 *   "TBA1" | version u16 (1) | 0^2 | account16 | store uuid 16 | CRC32C u32 of all before
 */
enum { VERSION = 1, CRC_AT = BLOB_ACCOUNT_FILE_SIZE - 4 };
static const char MAGIC[] = "TBA1";
static const char NAME[] = "account";

void blob_account_file_encode(
    const struct blob_identity *identity, uint8_t ret[BLOB_ACCOUNT_FILE_SIZE])
{
    memset(ret, 0, BLOB_ACCOUNT_FILE_SIZE);
    memcpy(ret, MAGIC, 4);
    encode_u16(ret + 4, VERSION);
    memcpy(ret + 8, identity->account.bytes, ID16_SIZE);
    memcpy(ret + 24, identity->store_uuid.bytes, ID16_SIZE);
    encode_u32(ret + CRC_AT, digest_crc32c(0, bytes_of(ret, CRC_AT)));
}

struct status blob_account_file_decode(struct bytes encoded, struct blob_identity *ret_identity)
{
    if (encoded.size != BLOB_ACCOUNT_FILE_SIZE) {
        return FAIL(CORRUPT, "size of account file");
    }
    struct reader reader = reader_of(encoded);
    if (!bytes_equal(reader_take(&reader, 4), bytes_text(MAGIC))) {
        return FAIL(CORRUPT, "magic of account file");
    }
    if (digest_crc32c(0, bytes_of(encoded.data, CRC_AT)) != decode_u32(encoded.data + CRC_AT)) {
        return FAIL(CORRUPT, "checksum of account file");
    }
    if (reader_u16(&reader) != VERSION) {
        return FAIL(UNSUPPORTED, "version of account file");
    }
    reader_zeros(&reader, 2);
    struct blob_identity identity;
    reader_copy(&reader, identity.account.bytes, ID16_SIZE);
    reader_copy(&reader, identity.store_uuid.bytes, ID16_SIZE);
    if (reader_failed(&reader)) {
        return FAIL(CORRUPT, "reserved bytes of account file");
    }
    *ret_identity = identity;
    return OK;
}

struct status blob_account_file_write(int dir_fd, const struct blob_identity *identity)
{
    uint8_t encoded[BLOB_ACCOUNT_FILE_SIZE];
    blob_account_file_encode(identity, encoded);
    return file_replace(dir_fd, NAME, BYTES_ARRAY(encoded), 0600);
}

struct status blob_account_file_read(int dir_fd, struct blob_identity *ret_identity)
{
    BUFFER(text, 2 * BLOB_ACCOUNT_FILE_SIZE);
    TRY(file_read(dir_fd, NAME, &text));
    return blob_account_file_decode(buffer_bytes(&text), ret_identity);
}
