/*
 * blob      = salt16 | iv12 | ciphertext | tag16, AAD = tenant16 | bucket16 | version16
 * plaintext = { len u16, name, len u16, value }, names rising
 * key       = D(AK, "triad/v1/attr", version16 salt16)
 */

#include "lib/format/attributes.h"

#include "lib/base/encode.h"
#include "lib/crypto/aead.h"
#include "lib/crypto/kdf.h"
#include "lib/crypto/random.h"

#include <stdlib.h>

enum {
    SALT_SIZE = 16,
    HEAD_SIZE = SALT_SIZE + AEAD_IV_SIZE,
    FRAME_SIZE = HEAD_SIZE + AEAD_TAG_SIZE,
    AAD_SIZE = 3 * ID16_SIZE,
};

/* The key for one blob, and what the blob is bound to. */
static struct status prepare(
    const struct secret *attribute_key, const struct id16 *tenant, const struct id16 *bucket,
    const struct id16 *version, const uint8_t *salt, uint8_t *aad, struct aead **ret_aead)
{
    memcpy(aad, tenant->bytes, ID16_SIZE);
    memcpy(aad + ID16_SIZE, bucket->bytes, ID16_SIZE);
    memcpy(aad + 2 * (size_t)ID16_SIZE, version->bytes, ID16_SIZE);
    struct bytes context[] = {id16_view(version), bytes_of(salt, SALT_SIZE)};
    OWNED(secret) struct secret *key = NULL;
    TRY(kdf_derive(attribute_key, "triad/v1/attr", context, 2, &key));
    return aead_new(key, ret_aead);
}

static int compare(const void *a, const void *b)
{
    return bytes_compare(((const struct attribute *)a)->name, ((const struct attribute *)b)->name);
}

/* Names are there, rise, and everything fits. */
static struct status check(const struct attribute *attributes, size_t count)
{
    size_t size = FRAME_SIZE;
    for (size_t i = 0; i < count; i++) {
        const struct attribute *attribute = &attributes[i];
        if (attribute->name.size == 0) {
            return FAIL(INVALID, "attribute without a name");
        }
        if (i > 0 && compare(attribute - 1, attribute) == 0) {
            return FAIL(INVALID, "attribute given twice");
        }
        if (attribute->name.size > ATTRIBUTES_MAX || attribute->value.size > ATTRIBUTES_MAX) {
            return FAIL(TOO_LARGE, "attributes");
        }
        size += 4 + attribute->name.size + attribute->value.size;
    }
    return size > ATTRIBUTES_MAX ? FAIL(TOO_LARGE, "attributes") : OK;
}

struct status attributes_seal(
    const struct secret *attribute_key, const struct id16 *tenant, const struct id16 *bucket,
    const struct id16 *version, struct attribute *attributes, size_t count, struct buffer *sealed)
{
    if (count == 0) {
        return OK;
    }
    if (count > ATTRIBUTE_COUNT_MAX) {
        return FAIL(TOO_LARGE, "number of attributes");
    }
    qsort(attributes, count, sizeof(*attributes), compare);
    TRY(check(attributes, count));
    uint8_t head[HEAD_SIZE];
    uint8_t aad[AAD_SIZE];
    TRY(random_bytes(head, sizeof(head)));
    OWNED(aead) struct aead *aead = NULL;
    TRY(prepare(attribute_key, tenant, bucket, version, head, aad, &aead));

    buffer_add(sealed, BYTES_ARRAY(head));
    size_t begin = sealed->size;
    for (size_t i = 0; i < count; i++) {
        buffer_add_u16(sealed, (uint16_t)attributes[i].name.size);
        buffer_add(sealed, attributes[i].name);
        buffer_add_u16(sealed, (uint16_t)attributes[i].value.size);
        buffer_add(sealed, attributes[i].value);
    }
    TRY(buffer_status(sealed));
    uint8_t tag[AEAD_TAG_SIZE];
    TRY(aead_seal(
        aead, head + SALT_SIZE, BYTES_ARRAY(aad), sealed->data + begin, sealed->size - begin, tag));
    buffer_add(sealed, BYTES_ARRAY(tag));
    return buffer_status(sealed);
}

/* Views into plain. */
static struct status
parse(struct bytes plain, struct arena *arena, struct attribute **ret_attributes, size_t *ret_count)
{
    struct attribute *attributes =
        arena_zalloc(arena, ATTRIBUTE_COUNT_MAX, sizeof(struct attribute));
    if (attributes == NULL) {
        return FAIL(NO_MEMORY, "attributes");
    }
    size_t count = 0;
    struct reader reader = reader_of(plain);
    while (reader.rest.size > 0 && !reader_failed(&reader)) {
        if (count == ATTRIBUTE_COUNT_MAX) {
            return FAIL(CORRUPT, "number of attributes");
        }
        struct attribute *attribute = &attributes[count];
        attribute->name = reader_take(&reader, reader_u16(&reader));
        attribute->value = reader_take(&reader, reader_u16(&reader));
        if (attribute->name.size == 0 || (count > 0 && compare(attribute - 1, attribute) >= 0)) {
            return FAIL(CORRUPT, "names of attributes");
        }
        count++;
    }
    if (!reader_finish(&reader) || count == 0) {
        return FAIL(CORRUPT, "length of attributes");
    }
    *ret_attributes = attributes;
    *ret_count = count;
    return OK;
}

struct status attributes_open(
    const struct secret *attribute_key, const struct id16 *tenant, const struct id16 *bucket,
    const struct id16 *version, struct bytes sealed, struct arena *arena,
    struct attribute **ret_attributes, size_t *ret_count)
{
    if (sealed.size == 0) {
        *ret_attributes = NULL;
        *ret_count = 0;
        return OK;
    }
    if (sealed.size <= FRAME_SIZE || sealed.size > ATTRIBUTES_MAX) {
        return FAIL(CORRUPT, "length of sealed attributes");
    }
    uint8_t aad[AAD_SIZE];
    OWNED(aead) struct aead *aead = NULL;
    TRY(prepare(attribute_key, tenant, bucket, version, sealed.data, aad, &aead));
    size_t size = sealed.size - FRAME_SIZE;
    uint8_t *plain = arena_alloc(arena, size);
    if (plain == NULL) {
        return FAIL(NO_MEMORY, "attributes");
    }
    memcpy(plain, sealed.data + HEAD_SIZE, size);
    TRY(aead_open(
        aead, sealed.data + SALT_SIZE, BYTES_ARRAY(aad), plain, size,
        sealed.data + HEAD_SIZE + size));
    return parse(bytes_of(plain, size), arena, ret_attributes, ret_count);
}
