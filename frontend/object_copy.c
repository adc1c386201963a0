#include "frontend/object_copy.h"

#include "frontend/object_commit.h"
#include "frontend/object_reader.h"
#include "frontend/object_version.h"
#include "frontend/s3_xml.h"

enum { ANSWER_MAX = 64 * 1024, SEGMENT_PAGES_MAX = 64, TRIES = 20 };

struct copy {
    struct frontend_call *call;
    struct object_open *source;
    struct attribute *attributes;
    size_t attribute_count;
    struct buffer pages[SEGMENT_PAGES_MAX]; /* Of a multipart source, sealed anew. */
    size_t page_count;
    char etag[OBJECT_ETAG_MAX];
    uint64_t created_ms;
    bool is_source_replaced; /* Since it was opened: nothing was committed. */
};

static void copy_release(struct copy *copy)
{
    for (size_t i = 0; i < copy->page_count; i++) {
        buffer_done(&copy->pages[i]);
    }
}

static bool is_checksum(const struct attribute *attribute)
{
    return bytes_starts_with(attribute->name, bytes_text("x-amz-checksum-"));
}

/* COPY takes the source's attributes along, REPLACE the request's; checksums belong to the bytes.
 */
static struct status choose_attributes(struct copy *copy)
{
    const struct object_open *source = copy->source;
    if (!copy->call->request->replaces_metadata) {
        copy->attributes = source->attributes;
        copy->attribute_count = source->attribute_count;
        return OK;
    }
    struct attribute *given = NULL;
    size_t count = 0;
    TRY(object_version_attributes(copy->call, &given, &count));
    struct attribute *joined =
        arena_zalloc(copy->call->arena, count + source->attribute_count + 1, sizeof(*joined));
    if (joined == NULL) {
        return FAIL(NO_MEMORY, "attributes");
    }
    for (size_t i = 0; i < count; i++) {
        joined[i] = given[i];
    }
    for (size_t i = 0; i < source->attribute_count; i++) {
        if (is_checksum(&source->attributes[i])) {
            joined[count++] = source->attributes[i];
        }
    }
    copy->attributes = joined;
    copy->attribute_count = count;
    return OK;
}

/* Segment pages are sealed under their version: the same segments, under the new one. */
static struct status reseal_segments(struct copy *copy, const struct id16 *version)
{
    const struct object_open *source = copy->source;
    const struct secret *key = source->access->result->object_key;
    size_t count = source->result->n_segment_pages;
    if (count > SEGMENT_PAGES_MAX) {
        return FAIL(CORRUPT, "number of segment pages");
    }
    for (size_t i = 0; i < count; i++) {
        struct bytes entries;
        TRY(segment_page_verify(
            key, &source->record.version, (uint32_t)i,
            content_client_bytes(source->result->segment_pages[i]), &entries));
        struct buffer *page = &copy->pages[copy->page_count++];
        buffer_init(page, SEGMENT_PAGE_MAX);
        buffer_add(page, entries);
        TRY(segment_page_seal(key, version, (uint32_t)i, page));
        TRY(buffer_status(page));
    }
    return OK;
}

static struct status
commit_copy(struct copy *copy, struct access *access, const struct object_version *version)
{
    struct frontend_call *call = copy->call;
    struct content content;
    TRY(content_lease_next(call->frontend->lease, &content));
    Triad__Content__CommitItem item = TRIAD__CONTENT__COMMIT_ITEM__INIT;
    ProtobufCBinaryData pages[SEGMENT_PAGES_MAX];
    for (size_t i = 0; i < copy->page_count; i++) {
        pages[i] = content_client_binary(buffer_bytes(&copy->pages[i]));
    }
    item.kind = TRIAD__CONTENT__COMMIT_KIND__COPY;
    TRY(access_grant(call, access, &item.grant));
    item.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    item.key = content_client_binary(call->request->target.key);
    item.version_record = content_client_binary(BYTES_ARRAY(version->encoded));
    item.vmac = content_client_binary(BYTES_ARRAY(version->vmac));
    item.key_ref = copy->source->result->row->key_ref;
    item.attributes = content_client_binary(buffer_bytes(&version->attributes));
    item.version = content_client_binary(BYTES_ARRAY(version->version.bytes));
    item.content = content_client_binary(BYTES_ARRAY(content.bytes));
    item.source_key = content_client_binary(call->request->target.copy_key);
    item.source_version = content_client_binary(BYTES_ARRAY(copy->source->record.version.bytes));
    item.segment_pages = pages;
    item.n_segment_pages = copy->page_count;
    struct content_commit commit = {.outcome = TRIAD__CONTENT__OUTCOME__NONE};
    struct status status = object_commit_send(call, &item, &commit);
    /* The one condition of such a commit is that the source is still what we opened. */
    copy->is_source_replaced = commit.outcome == TRIAD__CONTENT__OUTCOME__PRECONDITION;
    return status;
}

static struct status copy_inside(struct copy *copy, struct access *access)
{
    const struct object_open *source = copy->source;
    const struct version_record *record = &source->record;
    struct object_version_options options = {
        .tenant = &record->tenant,
        .bucket = &record->bucket,
        .attribute_key = source->access->result->attribute_key,
        .object_key = source->access->result->object_key,
        .data = &record->data,
        .key = copy->call->request->target.key,
        .content = &record->content,
        .flags = record->flags,
        .size = record->size,
        .segments = record->segments,
        .chunks = record->chunks,
        .etag = source->etag,
        .etag_parts = record->etag_parts,
        .attributes = copy->attributes,
        .attribute_count = copy->attribute_count,
    };
    OBJECT_VERSION(version);
    TRY(object_version_make(&options, &version));
    TRY(reseal_segments(copy, &version.version));
    TRY(commit_copy(copy, access, &version));
    memcpy(copy->etag, source->etag_text, sizeof(copy->etag));
    copy->created_ms = version.record.created_ms;
    return OK;
}

static struct status copy_across(struct copy *copy)
{
    struct frontend_call *call = copy->call;
    OWNED(access) struct access *access = NULL;
    TRY(access_prove(call, KEY_GENERATE, NULL, &access));
    OWNED(body_digest) struct body_digest *digest = NULL;
    TRY(body_digest_new(call->frontend->digests, BODY_DIGEST_MD5, &digest));
    OWNED(object_reader) struct object_reader *reader = NULL;
    if (copy->source->record.size > 0) {
        TRY(object_reader_new(call, copy->source, 0, copy->source->record.size, &reader));
    }
    struct upload_options options = {
        .tenant = &access->bucket.tenant,
        .bucket = &access->bucket.bucket,
        .data = &access->result->data,
        .object_key = access->result->object_key,
        .size = copy->source->record.size,
        .read = object_reader_read,
        .context = reader,
        .digest = digest,
    };
    OWNED(upload) struct upload *upload = NULL;
    TRY(upload_run(call, &options, &upload));
    struct body_digest_values values;
    TRY(body_digest_end(digest, &values));
    struct object_commit commit = {
        .access = access,
        .key_ref = bytes_of(access->result->key_ref, access->result->key_ref_size),
        .upload = upload,
        .size = options.size,
        .data = &access->result->data,
        .object_key = access->result->object_key,
        .etag = values.md5,
        .attributes = copy->attributes,
        .attribute_count = copy->attribute_count,
    };
    TRY(object_commit_put(call, &commit));
    object_open_etag_text(values.md5, 0, copy->etag);
    copy->created_ms = commit.created_ms;
    return OK;
}

static struct status check_source(struct frontend_call *call, const struct object_open *source)
{
    const struct sigv4_target *target = &call->request->target;
    bool is_self = bytes_equal(target->bucket, target->copy_bucket) &&
                   bytes_equal(target->key, target->copy_key);
    if (is_self && !call->request->replaces_metadata) {
        return frontend_refuse(
            call, S3_ERROR_INVALID_REQUEST, FAIL(INVALID, "a copy onto itself changes nothing"));
    }
    enum s3_error error = s3_request_check_conditions(
        &call->request->copy_conditions, false, bytes_text(source->etag_text),
        (int64_t)(source->record.created_ms / 1000));
    return error == S3_ERROR_NONE
               ? OK
               : frontend_refuse(call, error, FAIL(CONFLICT, "a condition on the source"));
}

/* Opens the source as it is now and copies that; ret_is_replaced: it was overwritten meanwhile. */
static struct status copy_once(struct frontend_call *call, bool *ret_is_replaced)
{
    const struct sigv4_target *target = &call->request->target;
    bool is_inside = bytes_equal(target->bucket, target->copy_bucket);
    struct object_open_options from = {
        .bucket_name = target->copy_bucket,
        .key = target->copy_key,
        .length = is_inside ? 0 : (uint64_t)1 << 43,
    };
    OWNED(object_open) struct object_open *source = NULL;
    TRY(object_open(call, &from, &source));
    TRY(check_source(call, source));
    __attribute__((cleanup(copy_release))) struct copy copy = {.call = call, .source = source};
    TRY(choose_attributes(&copy));
    if (!is_inside) {
        TRY(copy_across(&copy));
    } else {
        OWNED(access) struct access *access = NULL;
        bool may_write = (source->access->result->rights & GRANT_WRITE) != 0;
        if (!may_write) {
            TRY(access_prove(call, KEY_PROVE, NULL, &access));
        }
        struct status status = copy_inside(&copy, may_write ? source->access : access);
        *ret_is_replaced = copy.is_source_replaced;
        TRY(status);
    }

    BUFFER(xml, ANSWER_MAX);
    s3_xml_copy_result(&xml, false, bytes_text(copy.etag), (int64_t)copy.created_ms);
    return frontend_respond_xml(call, &xml);
}

/* A source that is overwritten under our hands is opened again: the client set no condition. */
struct status object_copy(struct frontend_call *call)
{
    for (unsigned i = 0; i < TRIES; i++) {
        bool is_replaced = false;
        struct status status = copy_once(call, &is_replaced);
        if (!is_replaced) {
            return status;
        }
        call->error = S3_ERROR_NONE;
    }
    return frontend_refuse(
        call, S3_ERROR_OPERATION_ABORTED,
        FAIL(CONFLICT, "a source that is overwritten all the time"));
}
