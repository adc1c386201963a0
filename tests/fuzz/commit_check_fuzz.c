/* No commit item crashes the check that comes before every plan. */

#include "contentdb/commit_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Triad__Content__CommitItem *item = triad__content__commit_item__unpack(NULL, size, data);
    if (item == NULL) {
        return 0;
    }
    struct grant grant = {.rights = GRANT_WRITE};
    if (item->bucket.len == ID16_SIZE) {
        memcpy(grant.bucket.bytes, item->bucket.data, ID16_SIZE);
    }
    if (item->version_record.len > 24) { /* So that inputs get beyond the tenant. */
        memcpy(grant.tenant.bytes, item->version_record.data + 8, ID16_SIZE);
    }
    ARENA(arena, 64 * 1024 * 1024);
    struct commit commit;
    IGNORE(commit_check(item, &grant, 12, &arena, &commit)); /* Any outcome is right. */
    triad__content__commit_item__free_unpacked(item, NULL);
    return 0;
}
