#pragma once

/*
 * Identifiers of FORMATS 1, and the fragment ids and tags of FORMATS 4.
 *
 *   content10  = lease u48 | upload_seq u32      one upload of one frontend
 *   chunk_id14 = content10 | n u32
 *   frag_id16  = AES-256(IDK_account, chunk_id14 | copy u8 | 5A)
 */

#include "lib/crypto/aead.h"
#include "lib/crypto/chunk_cipher.h"
#include "lib/crypto/secret.h"

enum { ID16_SIZE = 16, CONTENT_SIZE = 10, FRAGMENT_ID_SIZE = 16, FRAGMENT_TAG_SIZE = 16 };

struct id16 {
    uint8_t bytes[ID16_SIZE];
};

struct content {
    uint8_t bytes[CONTENT_SIZE];
};

struct chunk_id {
    uint8_t bytes[CHUNK_ID_SIZE];
};

struct content content_of(uint64_t lease, uint32_t upload_seq);
uint64_t content_lease(const struct content *content);
struct chunk_id chunk_id_of(const struct content *content, uint32_t n);

static inline bool id16_equal(const struct id16 *a, const struct id16 *b)
{
    return memcmp(a->bytes, b->bytes, ID16_SIZE) == 0;
}
static inline bool id16_is_zero(const struct id16 *id)
{
    static const struct id16 zero;
    return id16_equal(id, &zero);
}
static inline struct bytes id16_view(const struct id16 *id)
{
    return bytes_of(id->bytes, ID16_SIZE);
}

/* The id that a blob node knows a fragment by. */
MUST_CHECK struct status fragment_id(
    const struct secret *account_key, const struct chunk_id *chunk, uint8_t copy,
    uint8_t ret_id[FRAGMENT_ID_SIZE]);

/* Back from a fragment id; CORRUPT when it is not one of this account (last byte is not 5A). */
MUST_CHECK struct status fragment_id_decode(
    const struct secret *account_key, const uint8_t id[FRAGMENT_ID_SIZE],
    struct chunk_id *ret_chunk, uint8_t *ret_copy);

/* The keyed tag of a whole fragment given in parts: GMAC under D(IK, "triad/v1/frag", chunk). */
MUST_CHECK struct status fragment_tag(
    const struct secret *integrity_key, const struct chunk_id *chunk, uint32_t index,
    const struct bytes *parts, size_t count, uint8_t ret_tag[FRAGMENT_TAG_SIZE]);

/* The same for many fragments of one chunk: derive once with fragment_tagger_new. */
MUST_CHECK struct status fragment_tagger_new(
    const struct secret *integrity_key, const struct chunk_id *chunk, struct aead **ret_tagger);
MUST_CHECK struct status fragment_tagger_tag(
    struct aead *tagger, uint32_t index, const struct bytes *parts, size_t count,
    uint8_t ret_tag[FRAGMENT_TAG_SIZE]);

/* SHA-256("triad/v1/name" | 00 | bucket16 | key bytes). */
MUST_CHECK struct status
object_name_hash(const struct id16 *bucket, struct bytes key, uint8_t ret_hash[32]);
