/* Every row of a page whose head was read can be read, MAC or not. */

#include "lib/format/manifest_page.h"

#include "lib/base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes page = bytes_of(data, size);
    struct manifest_head head;
    OWNED(secret) struct secret *key = NULL;
    if (!status_ok(manifest_page_head(page, &head))) {
        return 0;
    }
    uint64_t length = 0;
    IGNORE(manifest_page_length(page, &length)); /* Any outcome is right. */
    for (uint32_t i = 0; i < head.rows; i++) {
        struct manifest_row row;
        if (status_ok(manifest_page_row(page, &head, i, &row))) {
            size_t tags = ((size_t)head.k + head.m) * FRAGMENT_TAG_SIZE;
            CHECK(row.tags >= data && row.tags + tags <= data + size);
        }
    }
    if (status_ok(secret_new(SECRET_KEY_SIZE, &key))) {
        IGNORE(manifest_page_verify(page, key)); /* Likewise. */
    }
    return 0;
}
