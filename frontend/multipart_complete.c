#include "frontend/multipart_complete.h"

#include "frontend/multipart.h"
#include "frontend/object_open.h"
#include "frontend/object_version.h"
#include "frontend/s3_body.h"
#include "frontend/s3_xml.h"
#include "lib/base/hex.h"
#include "lib/crypto/digest.h"

#include <stdlib.h>

enum {
    ANSWER_MAX = 64 * 1024,
    PART_SIZE_MIN = 5 * 1024 * 1024,
    SEGMENTS_A_PAGE = (SEGMENT_PAGE_MAX - 32) / SEGMENT_SIZE,
    SEGMENT_PAGES_MAX = (S3_PARTS_MAX + SEGMENTS_A_PAGE - 1) / SEGMENTS_A_PAGE,
};

struct complete {
    struct frontend_call *call;
    struct multipart *multipart; /* Owned. */
    struct content_reply *reply; /* Owned: holds the parts. */
    const Triad__Content__ListPartsReply *listed;
    const struct s3_xml_complete_part *wanted; /* In the arena, ascending. */
    size_t count;
    Triad__Content__PartInfo **chosen; /* In the arena: one for each wanted. */
    uint8_t etag[16];
    uint64_t size;
    uint64_t chunks;
    struct buffer pages[SEGMENT_PAGES_MAX];
    size_t page_count;
};

static void complete_release(struct complete *complete)
{
    multipart_free(complete->multipart);
    content_reply_free(complete->reply);
    for (size_t i = 0; i < complete->page_count; i++) {
        buffer_done(&complete->pages[i]);
    }
}

static struct status read_parts(struct complete *complete)
{
    struct frontend_call *call = complete->call;
    struct s3_body *body = NULL;
    BUFFER(xml, S3_XML_BODY_MAX);
    enum s3_error error = s3_body_open(call->request, call->exchange->body, call->arena, &body);
    if (error == S3_ERROR_NONE) {
        error = s3_body_read_all(body, &xml);
    }
    if (error != S3_ERROR_NONE) {
        return frontend_refuse(call, error, FAIL(INVALID, "body of Complete"));
    }
    frontend_progress(call);
    struct status status =
        s3_xml_parse_complete(buffer_bytes(&xml), call->arena, &complete->wanted, &complete->count);
    if (status.code == STATUS_CONFLICT) {
        return frontend_refuse(call, S3_ERROR_INVALID_PART_ORDER, status);
    }
    return status_ok(status) ? OK : frontend_refuse(call, S3_ERROR_MALFORMED_XML, status);
}

static struct status list_parts(struct complete *complete)
{
    struct frontend_call *call = complete->call;
    struct multipart *multipart = complete->multipart;
    Triad__Content__ListPartsRequest request = TRIAD__CONTENT__LIST_PARTS_REQUEST__INIT;
    TRY(access_grant(call, multipart->access, &request.grant));
    request.bucket = content_client_binary(BYTES_ARRAY(multipart->record.bucket.bytes));
    request.key = content_client_binary(call->request->target.key);
    request.upload = content_client_binary(BYTES_ARRAY(multipart->upload.bytes));
    request.limit = CONTENT_PARTS_MAX;
    TRY(content_client_list_parts(
        call->frontend->content, &request, frontend_deadline(call), &complete->reply,
        &complete->listed));
    return frontend_outcome(call, complete->listed->outcome);
}

static Triad__Content__PartInfo *
find_part(const Triad__Content__ListPartsReply *listed, uint32_t number, size_t *cursor)
{
    while (*cursor < listed->n_parts && listed->parts[*cursor]->part < number) {
        (*cursor)++;
    }
    if (*cursor < listed->n_parts && listed->parts[*cursor]->part == number) {
        return listed->parts[*cursor];
    }
    return NULL;
}

/* The part's MD5, if what the client names is what we have. */
static struct status check_part(
    struct complete *complete, const Triad__Content__PartInfo *info, size_t index,
    uint8_t ret_md5[16])
{
    const struct access *access = complete->multipart->access;
    struct frontend_call *call = complete->call;
    if (info == NULL || info->content.len != CONTENT_SIZE || info->etag.len != 16) {
        return frontend_refuse(call, S3_ERROR_INVALID_PART, FAIL(INVALID, "no such part"));
    }
    struct content content;
    memcpy(content.bytes, info->content.data, CONTENT_SIZE);
    memcpy(ret_md5, info->etag.data, 16);
    TRY(etag_mask_part(
        access->result->attribute_key, &access->bucket.bucket, &content, info->part, ret_md5));
    char etag[OBJECT_ETAG_MAX];
    object_open_etag_text(ret_md5, 0, etag);
    if (!bytes_equal(complete->wanted[index].etag, bytes_text(etag))) {
        return frontend_refuse(call, S3_ERROR_INVALID_PART, FAIL(INVALID, "etag of a part"));
    }
    if (info->size < PART_SIZE_MIN && index + 1 < complete->count) {
        return frontend_refuse(call, S3_ERROR_ENTITY_TOO_SMALL, FAIL(INVALID, "a small part"));
    }
    return OK;
}

/* Every wanted part is there and is the one named; the ETag is the MD5 of their MD5s. */
static struct status choose_parts(struct complete *complete)
{
    struct frontend_call *call = complete->call;
    complete->chosen =
        arena_zalloc(call->arena, complete->count, sizeof(Triad__Content__PartInfo *));
    OWNED(digest) struct digest *digest = NULL;
    TRY(digest_new(DIGEST_MD5, &digest));
    if (complete->chosen == NULL) {
        return FAIL(NO_MEMORY, "parts");
    }
    size_t cursor = 0;
    for (size_t i = 0; i < complete->count; i++) {
        uint8_t md5[16];
        Triad__Content__PartInfo *info =
            find_part(complete->listed, complete->wanted[i].number, &cursor);
        TRY(check_part(complete, info, i, md5));
        TRY(digest_add(digest, BYTES_ARRAY(md5)));
        complete->chosen[i] = info;
        complete->size += info->size;
        complete->chunks += info->chunks;
    }
    return digest_end(digest, complete->etag);
}

static struct status make_segments(struct complete *complete)
{
    const struct multipart *multipart = complete->multipart;
    for (size_t i = 0; i < complete->count; i++) {
        const Triad__Content__PartInfo *info = complete->chosen[i];
        if (i % SEGMENTS_A_PAGE == 0) {
            buffer_init(&complete->pages[complete->page_count++], SEGMENT_PAGE_MAX);
        }
        struct segment_entry segment = {
            .data = multipart->record.data,
            .part = info->part,
            .chunks = info->chunks,
            .len = info->size,
        };
        memcpy(segment.content.bytes, info->content.data, CONTENT_SIZE);
        segment_entry_encode(&complete->pages[complete->page_count - 1], &segment);
    }
    for (size_t i = 0; i < complete->page_count; i++) {
        TRY(segment_page_seal(
            multipart->access->result->object_key, &multipart->upload, (uint32_t)i,
            &complete->pages[i]));
        TRY(buffer_status(&complete->pages[i]));
    }
    return OK;
}

static struct status make_version(struct complete *complete, struct object_version *version)
{
    struct frontend_call *call = complete->call;
    const struct multipart *multipart = complete->multipart;
    const struct version_record *record = &multipart->record;
    struct object_version_options options = {
        .tenant = &record->tenant,
        .bucket = &record->bucket,
        .attribute_key = multipart->access->result->attribute_key,
        .object_key = multipart->access->result->object_key,
        .data = &record->data,
        .key = call->request->target.key,
        .version = &multipart->upload,
        .flags = VERSION_MULTIPART,
        .size = complete->size,
        .segments = (uint32_t)complete->count,
        .chunks = complete->chunks,
        .etag = complete->etag,
        .etag_parts = (uint32_t)complete->count,
    };
    TRY(attributes_open(
        options.attribute_key, options.tenant, options.bucket, &multipart->upload,
        content_client_bytes(multipart->row->attributes), call->arena, &options.attributes,
        &options.attribute_count));
    return object_version_make(&options, version);
}

/* The upload was completed before, by an earlier try of this request or by another one, perhaps of
 * other parts: what it became is the answer. */
static struct status
take_done(struct complete *complete, const Triad__Content__ObjectRow *row, char *etag)
{
    const struct access *access = complete->multipart->access;
    struct bytes encoded = content_client_bytes(row->version_record);
    struct version_record record;
    TRY(version_record_decode(encoded, &record));
    if (!id16_equal(&record.version, &complete->multipart->upload)) {
        return FAIL(CORRUPT, "version of a completed upload");
    }
    TRY(version_record_verify(
        access->result->object_key, &record.data, encoded, content_client_bytes(row->vmac)));
    TRY(etag_mask(
        access->result->attribute_key, &access->bucket.bucket, &record.version, record.etag));
    object_open_etag_text(record.etag, record.etag_parts, etag);
    return OK;
}

static struct status
send_complete(struct complete *complete, const struct object_version *version, char *etag)
{
    struct frontend_call *call = complete->call;
    struct multipart *multipart = complete->multipart;
    Triad__Content__CompleteUploadRequest request = TRIAD__CONTENT__COMPLETE_UPLOAD_REQUEST__INIT;
    ProtobufCBinaryData pages[SEGMENT_PAGES_MAX];
    for (size_t i = 0; i < complete->page_count; i++) {
        pages[i] = content_client_binary(buffer_bytes(&complete->pages[i]));
    }
    TRY(access_grant(call, multipart->access, &request.grant));
    request.bucket = content_client_binary(BYTES_ARRAY(multipart->record.bucket.bytes));
    request.key = content_client_binary(call->request->target.key);
    request.upload = content_client_binary(BYTES_ARRAY(multipart->upload.bytes));
    request.parts = complete->chosen;
    request.n_parts = complete->count;
    request.version_record = content_client_binary(BYTES_ARRAY(version->encoded));
    request.vmac = content_client_binary(BYTES_ARRAY(version->vmac));
    request.key_ref = multipart->row->key_ref;
    request.attributes = content_client_binary(buffer_bytes(&version->attributes));
    request.segment_pages = pages;
    request.n_segment_pages = complete->page_count;
    request.if_absent = call->request->conditions.if_none_match.size > 0;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__UploadReply *answer = NULL;
    TRY(content_client_complete_upload(
        call->frontend->content, &request, frontend_commit_deadline(call), &reply, &answer));
    TRY(frontend_outcome(call, answer->outcome));
    return answer->row != NULL ? take_done(complete, answer->row, etag) : OK;
}

static struct status respond(struct frontend_call *call, const char *etag)
{
    const struct sigv4_target *target = &call->request->target;
    BUFFER(location, ANSWER_MAX);
    buffer_add_text(&location, "/");
    buffer_add(&location, target->bucket);
    buffer_add_text(&location, "/");
    buffer_add(&location, target->key);
    BUFFER(xml, ANSWER_MAX);
    s3_xml_complete_upload(
        &xml, buffer_bytes(&location), target->bucket, target->key, bytes_text(etag));
    return frontend_respond_xml(call, &xml);
}

/* The upload was completed before, and the client did not hear of it: the head, if it is still the
 * version that the upload became. Its keys are the upload's. */
static struct status respond_again(struct frontend_call *call, struct multipart *multipart)
{
    struct access *access = multipart->access;
    Triad__Content__LookupItem item = TRIAD__CONTENT__LOOKUP_ITEM__INIT;
    TRY(access_grant(call, access, &item.grant));
    item.bucket = content_client_binary(BYTES_ARRAY(access->bucket.bucket.bytes));
    item.key = content_client_binary(call->request->target.key);
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__LookupResult *result = NULL;
    TRY(content_client_lookup(
        call->frontend->content, &item, frontend_deadline(call), &reply, &result));
    struct version_record record = {.flags = 0};
    if (result->row != NULL) {
        TRY(version_record_decode(content_client_bytes(result->row->version_record), &record));
    }
    if (!id16_equal(&record.version, &multipart->upload)) {
        return frontend_refuse(
            call, S3_ERROR_NO_SUCH_UPLOAD, FAIL(NOT_FOUND, "completed, and replaced since"));
    }
    TRY(version_record_verify(
        access->result->object_key, &record.data, content_client_bytes(result->row->version_record),
        content_client_bytes(result->row->vmac)));
    TRY(etag_mask(
        access->result->attribute_key, &access->bucket.bucket, &record.version, record.etag));
    char etag[OBJECT_ETAG_MAX];
    object_open_etag_text(record.etag, record.etag_parts, etag);
    return respond(call, etag);
}

struct status multipart_complete(struct frontend_call *call)
{
    __attribute__((cleanup(complete_release))) struct complete complete = {.call = call};
    TRY(multipart_open(call, &complete.multipart));
    TRY(read_parts(&complete));
    if (complete.multipart->row->seq != 0) {
        return respond_again(call, complete.multipart);
    }
    TRY(list_parts(&complete));
    TRY(choose_parts(&complete));
    TRY(make_segments(&complete));
    OBJECT_VERSION(version);
    TRY(make_version(&complete, &version));
    char etag[OBJECT_ETAG_MAX];
    object_open_etag_text(complete.etag, (uint32_t)complete.count, etag);
    TRY(send_complete(&complete, &version, etag));
    return respond(call, etag);
}
