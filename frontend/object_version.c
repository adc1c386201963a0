#include "frontend/object_version.h"

#include "lib/base/clock.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/random.h"

struct status
object_version_make(const struct object_version_options *options, struct object_version *version)
{
    if (options->version != NULL) {
        version->version = *options->version;
    } else {
        TRY(random_bytes(version->version.bytes, ID16_SIZE));
    }
    struct version_record record = {
        .flags = options->flags,
        .tenant = *options->tenant,
        .bucket = *options->bucket,
        .version = version->version,
        .data = *options->data,
        .created_ms = (uint64_t)clock_wall_ms(),
        .size = options->size,
        .segments = options->segments,
        .chunks = options->chunks,
        .etag_parts = options->etag_parts,
    };
    if (options->content != NULL) {
        record.content = *options->content;
    }
    TRY(object_name_hash(options->bucket, options->key, record.name_hash));
    TRY(attributes_seal(
        options->attribute_key, options->tenant, options->bucket, &version->version,
        options->attributes, options->attribute_count, &version->attributes));
    TRY(buffer_status(&version->attributes));
    struct bytes sealed = buffer_bytes(&version->attributes);
    TRY(digest_sha256(&sealed, 1, record.attr_sha256));
    if (options->etag != NULL) {
        memcpy(record.etag, options->etag, sizeof(record.etag));
        TRY(etag_mask(options->attribute_key, options->bucket, &version->version, record.etag));
    }
    version_record_encode(&record, version->encoded);
    version->record = record;
    return version_record_mac(
        options->object_key, options->data, BYTES_ARRAY(version->encoded), version->vmac);
}

void object_version_done(struct object_version *version)
{
    buffer_done(&version->attributes);
}

struct status object_version_attributes(
    struct frontend_call *call, struct attribute **ret_attributes, size_t *ret_count)
{
    const struct s3_request *request = call->request;
    struct attribute *attributes = arena_zalloc(
        call->arena, request->attribute_count + OBJECT_VERSION_SPARE, sizeof(*attributes));
    if (attributes == NULL) {
        return FAIL(NO_MEMORY, "attributes");
    }
    for (size_t i = 0; i < request->attribute_count; i++) {
        attributes[i] = (struct attribute){
            .name = request->attributes[i].name, .value = request->attributes[i].value};
    }

    *ret_attributes = attributes;
    *ret_count = request->attribute_count;
    return OK;
}
