/* Any bytes: an error, or an account file that encodes back to the same. */

#include "blobnode/blob_account_file.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blob_identity identity;
    uint8_t encoded[BLOB_ACCOUNT_FILE_SIZE];
    if (status_ok(blob_account_file_decode(bytes_of(data, size), &identity))) {
        blob_account_file_encode(&identity, encoded);
        CHECK(bytes_equal(BYTES_ARRAY(encoded), bytes_of(data, size)));
    }
    return 0;
}
