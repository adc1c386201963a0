#include "frontend/object_open.h"

#include "lib/base/hex.h"
#include "lib/crypto/digest.h"

#include <stdio.h>
#include <stdlib.h>

void object_open_free(struct object_open *object)
{
    if (object == NULL) {
        return;
    }
    content_reply_free(object->reply);
    access_free(object->access);
    free(object);
}

void object_open_etag_text(const uint8_t etag[16], uint32_t parts, char ret[OBJECT_ETAG_MAX])
{
    hex_encode(bytes_of(etag, 16), ret);
    if (parts > 0) {
        snprintf(ret + 32, OBJECT_ETAG_MAX - 32, "-%u", parts);
    }
}

bool object_open_attribute(
    const struct object_open *object, const char *name, struct bytes *ret_value)
{
    for (size_t i = 0; i < object->attribute_count; i++) {
        if (bytes_equal(object->attributes[i].name, bytes_text(name))) {
            *ret_value = object->attributes[i].value;
            return true;
        }
    }
    return false;
}

/* One lookup with a grant for reading: a cached one, or a fresh one of this request's own. */
static struct status look_up(
    struct frontend_call *call, const struct object_open_options *options,
    struct object_open *object, bool is_fresh)
{
    struct content_bucket bucket = {.is_found = false};
    uint8_t cached[GRANT_SIZE];
    Triad__Content__LookupItem item = TRIAD__CONTENT__LOOKUP_ITEM__INIT;
    TRY(access_resolve(call, options->bucket_name, &bucket));
    if (!is_fresh && bucket.is_found &&
        access_cached_grant(call, &bucket.bucket, GRANT_READ, cached)) {
        item.grant = content_client_binary(BYTES_ARRAY(cached));
    } else {
        access_free(TAKE(object->access));
        TRY(access_prove_bucket(call, options->bucket_name, KEY_PROVE, NULL, &object->access));
        bucket = object->access->bucket;
        TRY(access_grant(call, object->access, &item.grant));
    }
    call->bucket = bucket.bucket;
    item.bucket = content_client_binary(BYTES_ARRAY(bucket.bucket.bytes));
    item.key = content_client_binary(options->key);
    item.offset = options->offset;
    item.length = options->length;
    item.is_suffix = options->is_suffix;
    item.pages_max = 2;
    content_reply_free(TAKE(object->reply));
    return content_client_lookup(
        call->frontend->content, &item, frontend_deadline(call), &object->reply, &object->result);
}

/* Find the row. What is not there is said only after the request was proved. */
static struct status find(
    struct frontend_call *call, const struct object_open_options *options,
    struct object_open *object)
{
    TRY(look_up(call, options, object, false));
    Triad__Content__Outcome outcome = object->result->outcome;
    bool is_proved = object->access != NULL;
    if (!is_proved && (outcome == TRIAD__CONTENT__OUTCOME__DENIED ||
                       outcome == TRIAD__CONTENT__OUTCOME__NO_SUCH_BUCKET)) {
        /* The cached grant or name was too old. */
        struct content_bucket bucket = {.is_found = false};
        TRY(access_resolve(call, options->bucket_name, &bucket));
        access_forget(call, options->bucket_name, &bucket.bucket);
        TRY(look_up(call, options, object, true));
        outcome = object->result->outcome;
        is_proved = true;
    }
    if (outcome != TRIAD__CONTENT__OUTCOME__DONE && !is_proved) {
        TRY(access_prove_bucket(call, options->bucket_name, KEY_PROVE, NULL, &object->access));
    }
    TRY(frontend_outcome(call, outcome));
    return object->result->row != NULL ? OK : FAIL(CORRUPT, "a lookup without a row");
}

/* The record is of this name, under this key, whole: what the key store checked, again. */
static struct status verify(
    struct frontend_call *call, const struct object_open_options *options,
    struct object_open *object)
{
    const Triad__Content__ObjectRow *row = object->result->row;
    const struct access *access = object->access;
    struct bytes encoded = content_client_bytes(row->version_record);
    TRY(version_record_decode(encoded, &object->record));
    const struct version_record *record = &object->record;
    TRY(version_record_verify(
        access->result->object_key, &record->data, encoded, content_client_bytes(row->vmac)));
    uint8_t hash[DIGEST_SHA256_SIZE];
    TRY(object_name_hash(&access->bucket.bucket, options->key, hash));
    if (!id16_equal(&record->tenant, &access->bucket.tenant) ||
        !id16_equal(&record->bucket, &access->bucket.bucket) ||
        memcmp(record->name_hash, hash, sizeof(hash)) != 0) {
        return FAIL(CORRUPT, "a version record of another name");
    }
    if ((record->flags & (VERSION_OPEN_UPLOAD | VERSION_INLINE | VERSION_SSE_C)) != 0) {
        return FAIL(UNSUPPORTED, "flags of a version record");
    }

    struct bytes sealed = content_client_bytes(row->attributes);
    TRY(digest_sha256(&sealed, 1, hash));
    if (memcmp(record->attr_sha256, hash, sizeof(hash)) != 0) {
        return FAIL(CORRUPT, "attributes of another version");
    }
    TRY(attributes_open(
        access->result->attribute_key, &record->tenant, &record->bucket, &record->version, sealed,
        call->arena, &object->attributes, &object->attribute_count));
    memcpy(object->etag, record->etag, sizeof(object->etag));
    TRY(etag_mask(access->result->attribute_key, &record->bucket, &record->version, object->etag));
    object_open_etag_text(object->etag, record->etag_parts, object->etag_text);
    return OK;
}

struct status object_open(
    struct frontend_call *call, const struct object_open_options *options,
    struct object_open **ret_object)
{
    OWNED(object_open) struct object_open *object = calloc(1, sizeof(*object));
    if (object == NULL) {
        return FAIL(NO_MEMORY, "object");
    }
    TRY(find(call, options, object));
    const Triad__Content__ObjectRow *row = object->result->row;
    struct access_record record = {
        .record = content_client_bytes(row->version_record),
        .vmac = content_client_bytes(row->vmac),
        .key_ref = content_client_bytes(row->key_ref),
    };
    access_free(TAKE(object->access));
    TRY(access_prove_bucket(call, options->bucket_name, KEY_OPEN, &record, &object->access));
    TRY(verify(call, options, object));

    *ret_object = TAKE(object);
    return OK;
}
