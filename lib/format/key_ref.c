/*
 * key_ref = kind u8 | alg u8 | len u16 | bk_ver u32 | bytes
 *
 * Under no MAC, so that a new bucket key version only rewrites it.
 */

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/crypto/key_wrap.h"
#include "lib/format/version_record.h"

enum { KEY_REF_BUCKET = 1, KEY_REF_SSE_C = 2, KEY_REF_ALG_KW = 1, KEY_REF_BYTES_MAX = 256 };

void key_ref_encode(struct buffer *to, const struct key_ref *ref)
{
    CHECK(ref->wrapped.size > 0 && ref->wrapped.size <= KEY_REF_BYTES_MAX);
    buffer_add_u8(to, ref->kind);
    buffer_add_u8(to, ref->alg);
    buffer_add_u16(to, (uint16_t)ref->wrapped.size);
    buffer_add_u32(to, ref->bk_ver);
    buffer_add(to, ref->wrapped);
}

struct status key_ref_decode(struct bytes encoded, struct key_ref *ret_ref)
{
    struct reader reader = reader_of(encoded);
    struct key_ref ref = {0};
    ref.kind = reader_u8(&reader);
    ref.alg = reader_u8(&reader);
    uint16_t size = reader_u16(&reader);
    ref.bk_ver = reader_u32(&reader);
    ref.wrapped = reader_take(&reader, size);
    if (!reader_finish(&reader) || size == 0 || size > KEY_REF_BYTES_MAX) {
        return FAIL(CORRUPT, "length of a key reference");
    }
    if (ref.kind != KEY_REF_BUCKET && ref.kind != KEY_REF_SSE_C) {
        return FAIL(CORRUPT, "kind of a key reference");
    }
    if (ref.alg != KEY_REF_ALG_KW) {
        return FAIL(CORRUPT, "alg of a key reference");
    }
    if (ref.kind == KEY_REF_BUCKET && size != KEY_WRAP_SIZE) {
        return FAIL(CORRUPT, "wrapped key of a key reference");
    }
    *ret_ref = ref;
    return OK;
}
