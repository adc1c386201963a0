#include "frontend/fragment_check.h"

struct status fragment_check(
    struct fragment_client *client, const struct chunk_reference *reference, unsigned index,
    struct bytes fragment)
{
    const struct secret *key = fragment_client_integrity_key(client, reference->ik_ver, NULL);
    if (key == NULL) {
        return FAIL(UNAVAILABLE, "no integrity key of that version");
    }
    struct chunk_id chunk;
    memcpy(chunk.bytes, reference->context.chunk_id, CHUNK_ID_SIZE);
    uint8_t tag[FRAGMENT_TAG_SIZE];
    TRY(fragment_tag(key, &chunk, index, &fragment, fragment.size > 0 ? 1 : 0, tag));
    const uint8_t *want = reference->tags + (size_t)index * FRAGMENT_TAG_SIZE;
    if (!secret_equal(BYTES_ARRAY(tag), bytes_of(want, FRAGMENT_TAG_SIZE))) {
        return FAIL(CORRUPT, "a fragment does not fit its tag");
    }
    return OK;
}
