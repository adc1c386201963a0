/*
 * keyset = "TKS1" | ver u16 | account16 | version u64 | issued u64 | valid_until u64
 *        | min_epoch u32 x 5 | n_keys u16 | keys { kid8 perm u8 alg u8 nbf u64 naf u64 len u16 spki
 * } | n_denied u16 | jti16 ... | delegation (delegation.c) | sig_len u16 | signature by the online
 * key over "TRIAD-KEYSET-v1\0" | all before
 *
 * "all before" includes sig_len. A kid stands once: a key has one permission.
 */

#include "lib/capability/keyset.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/capability/delegation.h"

#include <stdlib.h>

struct keyset {
    struct keyset_content content; /* Its arrays are the next two. */
    struct keyset_key *keys;       /* Owned; each spki is in encoded. */
    struct id16 *denied;           /* Owned, sorted. */
    uint8_t *encoded;              /* Owned. */
    size_t size;
};

enum { KEYSET_FORMAT = 1 };

static const char keyset_magic[4] = {'T', 'K', 'S', '1'};
static const char keyset_prefix[] = "TRIAD-KEYSET-v1"; /* Signed with its NUL. */

static bool is_perm(uint8_t perm)
{
    return perm != 0 && perm <= TOKEN_SCRUB && (perm & (perm - 1)) == 0;
}

static struct status check_key(const struct keyset_key *key)
{
    uint8_t kid[SIGNATURE_KID_SIZE];
    if (!is_perm(key->perm)) {
        return FAIL(INVALID, "perm of a keyset's key");
    }
    if (key->alg != SIGNATURE_ED25519 && key->alg != SIGNATURE_P256) {
        return FAIL(INVALID, "alg of a keyset's key");
    }
    if (key->naf <= key->nbf) {
        return FAIL(INVALID, "dates of a keyset's key");
    }
    if (key->spki.size == 0 || key->spki.size > SIGNATURE_SPKI_MAX) {
        return FAIL(INVALID, "spki of a keyset's key");
    }
    TRY(signature_kid(key->spki, kid));
    if (memcmp(kid, key->kid, sizeof(kid)) != 0) {
        return FAIL(INVALID, "kid of a keyset's key");
    }
    return OK;
}

/* The rules that hold for what we sign and for what we read. */
static struct status check_content(const struct keyset_content *content)
{
    if (content->keys_count > KEYSET_KEYS_MAX) {
        return FAIL(INVALID, "number of a keyset's keys");
    }
    if (content->denied_count > KEYSET_DENIED_MAX) {
        return FAIL(INVALID, "number of a keyset's denied tokens");
    }
    if (content->valid_until <= content->issued ||
        content->valid_until - content->issued > KEYSET_VALID_S) {
        return FAIL(INVALID, "valid_until of a keyset");
    }
    for (size_t i = 0; i < content->keys_count; i++) {
        TRY(check_key(&content->keys[i]));
        for (size_t j = 0; j < i; j++) {
            if (memcmp(content->keys[i].kid, content->keys[j].kid, SIGNATURE_KID_SIZE) == 0) {
                return FAIL(INVALID, "kid given twice in a keyset");
            }
        }
    }
    return OK;
}

static void add_content(const struct keyset_content *content, struct buffer *to)
{
    buffer_add(to, BYTES_ARRAY(keyset_magic));
    buffer_add_u16(to, KEYSET_FORMAT);
    buffer_add(to, id16_view(&content->account));
    buffer_add_u64(to, content->version);
    buffer_add_u64(to, content->issued);
    buffer_add_u64(to, content->valid_until);
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        buffer_add_u32(to, content->min_epoch[i]);
    }
    buffer_add_u16(to, (uint16_t)content->keys_count);
    for (size_t i = 0; i < content->keys_count; i++) {
        const struct keyset_key *key = &content->keys[i];
        buffer_add(to, BYTES_ARRAY(key->kid));
        buffer_add_u8(to, key->perm);
        buffer_add_u8(to, key->alg);
        buffer_add_u64(to, key->nbf);
        buffer_add_u64(to, key->naf);
        buffer_add_u16(to, (uint16_t)key->spki.size);
        buffer_add(to, key->spki);
    }
    buffer_add_u16(to, (uint16_t)content->denied_count);
    for (size_t i = 0; i < content->denied_count; i++) {
        buffer_add(to, id16_view(&content->denied[i]));
    }
}

struct status keyset_sign(
    const struct keyset_content *content, struct bytes delegation, enum signature_alg alg,
    const struct secret *online_pkcs8, struct buffer *ret_keyset)
{
    TRY(check_content(content));
    TRY(buffer_status(ret_keyset));
    size_t begin = ret_keyset->size;
    add_content(content, ret_keyset);
    buffer_add(ret_keyset, delegation);
    buffer_add_u16(ret_keyset, SIGNATURE_SIZE);
    TRY(buffer_status(ret_keyset));
    uint8_t signature[SIGNATURE_SIZE];
    TRY(signature_sign(
        alg, online_pkcs8, BYTES_ARRAY(keyset_prefix), bytes_from(buffer_bytes(ret_keyset), begin),
        signature));
    buffer_add(ret_keyset, BYTES_ARRAY(signature));
    TRY(buffer_status(ret_keyset));
    if (ret_keyset->size - begin > KEYSET_SIZE_MAX) {
        return FAIL(TOO_LARGE, "keyset");
    }
    return OK;
}

static struct status read_head(struct reader *reader, struct keyset_content *content)
{
    if (!bytes_equal(reader_take(reader, sizeof(keyset_magic)), BYTES_ARRAY(keyset_magic))) {
        return FAIL(INVALID, "magic of a keyset");
    }
    if (reader_u16(reader) != KEYSET_FORMAT) {
        return FAIL(INVALID, "version of a keyset's format");
    }
    reader_copy(reader, content->account.bytes, ID16_SIZE);
    content->version = reader_u64(reader);
    content->issued = reader_u64(reader);
    content->valid_until = reader_u64(reader);
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        content->min_epoch[i] = reader_u32(reader);
    }
    content->keys_count = reader_u16(reader);
    if (reader_failed(reader) || content->keys_count > KEYSET_KEYS_MAX) {
        return FAIL(INVALID, "number of a keyset's keys");
    }
    return OK;
}

static struct status read_keys(struct reader *reader, struct keyset *keyset)
{
    /* One more, so that an empty list is not a failed allocation. */
    keyset->keys = calloc(keyset->content.keys_count + 1, sizeof(*keyset->keys));
    if (keyset->keys == NULL) {
        return FAIL(NO_MEMORY, "keyset");
    }
    for (size_t i = 0; i < keyset->content.keys_count; i++) {
        struct keyset_key *key = &keyset->keys[i];
        reader_copy(reader, key->kid, sizeof(key->kid));
        key->perm = reader_u8(reader);
        key->alg = reader_u8(reader);
        key->nbf = reader_u64(reader);
        key->naf = reader_u64(reader);
        key->spki = reader_take(reader, reader_u16(reader));
    }
    keyset->content.keys = keyset->keys;
    return reader_failed(reader) ? FAIL(INVALID, "length of a keyset") : OK;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, ID16_SIZE);
}

static struct status read_denied(struct reader *reader, struct keyset *keyset)
{
    size_t count = reader_u16(reader);
    struct bytes all = reader_take(reader, count * ID16_SIZE);
    if (reader_failed(reader) || count > KEYSET_DENIED_MAX) {
        return FAIL(INVALID, "number of a keyset's denied tokens");
    }
    keyset->denied = calloc(count + 1, sizeof(*keyset->denied));
    if (keyset->denied == NULL) {
        return FAIL(NO_MEMORY, "keyset");
    }
    if (count > 0) {
        memcpy(keyset->denied, all.data, all.size);
        qsort(keyset->denied, count, sizeof(*keyset->denied), compare_ids);
    }
    keyset->content.denied = keyset->denied;
    keyset->content.denied_count = count;
    return OK;
}

/* What follows the content: who signed it, and the signature. */
static struct status verify(
    struct reader *reader, const struct keyset *keyset, enum signature_alg root_alg,
    struct bytes root_spki, uint64_t now_s)
{
    struct delegation delegation;
    TRY(delegation_read(reader, root_alg, root_spki, now_s, &delegation));
    uint16_t signature_size = reader_u16(reader);
    if (reader_failed(reader)) {
        return FAIL(INVALID, "length of a keyset");
    }
    struct bytes body = bytes_of(keyset->encoded, keyset->size - reader->rest.size);
    struct bytes signature = reader_take(reader, signature_size);
    if (!reader_finish(reader)) {
        return FAIL(INVALID, "length of a keyset");
    }
    return signature_verify(
        delegation.alg, delegation.spki, BYTES_ARRAY(keyset_prefix), body, signature);
}

static struct status copy_encoded(struct bytes encoded, struct keyset *keyset)
{
    if (encoded.size == 0 || encoded.size > KEYSET_SIZE_MAX) {
        return FAIL(INVALID, "length of a keyset");
    }
    keyset->encoded = malloc(encoded.size);
    if (keyset->encoded == NULL) {
        return FAIL(NO_MEMORY, "keyset");
    }
    memcpy(keyset->encoded, encoded.data, encoded.size);
    keyset->size = encoded.size;
    return OK;
}

struct status keyset_open(
    struct bytes encoded, enum signature_alg root_alg, struct bytes root_spki,
    const struct id16 *account, uint64_t now_s, struct keyset **ret_keyset)
{
    OWNED(keyset) struct keyset *keyset = calloc(1, sizeof(*keyset));
    if (keyset == NULL) {
        return FAIL(NO_MEMORY, "keyset");
    }
    TRY(copy_encoded(encoded, keyset));
    struct reader reader = reader_of(keyset_encoded(keyset));
    TRY(read_head(&reader, &keyset->content));
    TRY(read_keys(&reader, keyset));
    TRY(read_denied(&reader, keyset));
    TRY(verify(&reader, keyset, root_alg, root_spki, now_s));
    TRY(check_content(&keyset->content));
    if (!id16_equal(&keyset->content.account, account)) {
        return FAIL(DENIED, "keyset is of another account");
    }
    *ret_keyset = TAKE(keyset);
    return OK;
}

void keyset_free(struct keyset *keyset)
{
    if (keyset != NULL) {
        free(keyset->keys);
        free(keyset->denied);
        free(keyset->encoded);
        free(keyset);
    }
}

const struct keyset_content *keyset_content(const struct keyset *keyset)
{
    return &keyset->content;
}

struct bytes keyset_encoded(const struct keyset *keyset)
{
    return bytes_of(keyset->encoded, keyset->size);
}

bool keyset_is_denied(const struct keyset *keyset, const struct id16 *jti)
{
    return keyset->content.denied_count > 0 &&
           bsearch(
               jti, keyset->denied, keyset->content.denied_count, sizeof(*keyset->denied),
               compare_ids) != NULL;
}
