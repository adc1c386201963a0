/* An epoch row opens only as it was made. */

#include "lib/kv/kv_epoch.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_row(const struct kv_dek *dek, struct bytes row, struct bytes good)
{
    OWNED(aead) struct aead *key = NULL;
    struct id16 db = {{1}};
    struct status status = kv_epoch_open(&db, 9, dek, 1, row, &key);
    CHECK(status_ok(status) == bytes_equal(row, good));
    CHECK(status_ok(status) || status.code == STATUS_CORRUPT || status.code == STATUS_DENIED);
}

/* The input as a row, and as changes (place, value) to a good one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    OWNED(secret) struct secret *secret = NULL;
    uint8_t bytes[SECRET_KEY_SIZE] = {7};
    CHECK(status_ok(secret_new_copy(BYTES_ARRAY(bytes), &secret)));
    struct kv_dek dek = {3, secret};
    struct id16 db = {{1}};
    uint8_t good[KV_EPOCH_SIZE];
    uint8_t row[KV_EPOCH_SIZE];
    CHECK(status_ok(kv_epoch_make(&db, 9, &dek, good)));
    memcpy(row, good, sizeof(row));
    for (size_t i = 0; i + 1 < size; i += 2) {
        row[data[i] % sizeof(row)] = data[i + 1];
    }
    try_row(&dek, bytes_of(data, size), BYTES_ARRAY(good));
    try_row(&dek, BYTES_ARRAY(row), BYTES_ARRAY(good));
    return 0;
}
