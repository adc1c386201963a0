#include "frontend/s3_xml.h"
#include "lib/s3/s3_time.h"
#include "lib/s3/uri_code.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void add_element(struct buffer *xml, const char *name, struct bytes value)
{
    buffer_printf(xml, "<%s>", name);
    s3_xml_escape(xml, value);
    buffer_printf(xml, "</%s>", name);
}

/* A key or what is made of keys: percent-encoded if the client asked for it. */
static void add_name(struct buffer *xml, const char *name, struct bytes value, bool encodes_url)
{
    buffer_printf(xml, "<%s>", name);
    if (encodes_url) {
        uri_code_encode(xml, value, true);
    } else {
        s3_xml_escape(xml, value);
    }
    buffer_printf(xml, "</%s>", name);
}

static void add_number(struct buffer *xml, const char *name, uint64_t value)
{
    buffer_printf(xml, "<%s>%llu</%s>", name, (unsigned long long)value, name);
}

static void add_bool(struct buffer *xml, const char *name, bool value)
{
    buffer_printf(xml, "<%s>%s</%s>", name, value ? "true" : "false", name);
}

static void add_time(struct buffer *xml, const char *name, int64_t time_ms)
{
    char text[S3_TIME_ISO_SIZE + 1];
    s3_time_format_iso(time_ms, text);
    buffer_printf(xml, "<%s>%s</%s>", name, text, name);
}

static void add_etag(struct buffer *xml, struct bytes etag)
{
    buffer_add_text(xml, "<ETag>&quot;");
    s3_xml_escape(xml, etag);
    buffer_add_text(xml, "&quot;</ETag>");
}

static void add_person(struct buffer *xml, const char *element, struct bytes owner)
{
    buffer_printf(xml, "<%s>", element);
    add_element(xml, "ID", owner);
    add_element(xml, "DisplayName", owner);
    buffer_printf(xml, "</%s>", element);
}

static void
add_prefixes(struct buffer *xml, const struct bytes *prefixes, size_t count, bool encodes_url)
{
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(xml, "<CommonPrefixes>");
        add_name(xml, "Prefix", prefixes[i], encodes_url);
        buffer_add_text(xml, "</CommonPrefixes>");
    }
}

void s3_xml_list_buckets(
    struct buffer *xml, struct bytes owner, const struct s3_xml_bucket *buckets, size_t count)
{
    buffer_add_text(xml, DECLARATION "<ListAllMyBucketsResult" NAMESPACE ">");
    add_person(xml, "Owner", owner);
    buffer_add_text(xml, "<Buckets>");
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(xml, "<Bucket>");
        add_element(xml, "Name", buckets[i].name);
        add_time(xml, "CreationDate", buckets[i].created_ms);
        buffer_add_text(xml, "</Bucket>");
    }
    buffer_add_text(xml, "</Buckets></ListAllMyBucketsResult>");
}

static void
add_object(struct buffer *xml, const struct s3_xml_list *list, const struct s3_xml_object *object)
{
    buffer_add_text(xml, "<Contents>");
    add_name(xml, "Key", object->key, list->encodes_url);
    add_time(xml, "LastModified", object->modified_ms);
    add_etag(xml, object->etag);
    add_number(xml, "Size", object->size);
    if (list->has_owner) {
        add_person(xml, "Owner", list->owner);
    }
    buffer_add_text(xml, "<StorageClass>STANDARD</StorageClass></Contents>");
}

/* Where the page begins and where the next one does, in the words of either version. */
static void add_position(struct buffer *xml, const struct s3_xml_list *list)
{
    if (!list->is_v2) {
        add_name(xml, "Marker", list->start_after, list->encodes_url);
        if (list->next_continuation.size > 0) {
            add_name(xml, "NextMarker", list->next_continuation, list->encodes_url);
        }
        return;
    }
    add_number(xml, "KeyCount", list->object_count + list->prefix_count);
    if (list->start_after.size > 0) {
        add_name(xml, "StartAfter", list->start_after, list->encodes_url);
    }
    if (list->continuation.size > 0) {
        add_element(xml, "ContinuationToken", list->continuation);
    }
    if (list->next_continuation.size > 0) {
        add_element(xml, "NextContinuationToken", list->next_continuation);
    }
}

void s3_xml_list_objects(struct buffer *xml, const struct s3_xml_list *list)
{
    buffer_add_text(xml, DECLARATION "<ListBucketResult" NAMESPACE ">");
    add_element(xml, "Name", list->bucket);
    add_name(xml, "Prefix", list->prefix, list->encodes_url);
    if (list->delimiter.size > 0) {
        add_name(xml, "Delimiter", list->delimiter, list->encodes_url);
    }
    add_position(xml, list);
    add_number(xml, "MaxKeys", list->max_keys);
    if (list->encodes_url) {
        buffer_add_text(xml, "<EncodingType>url</EncodingType>");
    }
    add_bool(xml, "IsTruncated", list->is_truncated);
    for (size_t i = 0; i < list->object_count; i++) {
        add_object(xml, list, &list->objects[i]);
    }
    add_prefixes(xml, list->prefixes, list->prefix_count, list->encodes_url);
    buffer_add_text(xml, "</ListBucketResult>");
}

void s3_xml_list_parts(struct buffer *xml, const struct s3_xml_parts *list)
{
    buffer_add_text(xml, DECLARATION "<ListPartsResult" NAMESPACE ">");
    add_element(xml, "Bucket", list->bucket);
    add_element(xml, "Key", list->key);
    add_element(xml, "UploadId", list->upload_id);
    add_person(xml, "Initiator", list->owner);
    add_person(xml, "Owner", list->owner);
    buffer_add_text(xml, "<StorageClass>STANDARD</StorageClass>");
    add_number(xml, "PartNumberMarker", list->marker);
    add_number(xml, "NextPartNumberMarker", list->next_marker);
    add_number(xml, "MaxParts", list->max);
    add_bool(xml, "IsTruncated", list->is_truncated);
    for (size_t i = 0; i < list->count; i++) {
        buffer_add_text(xml, "<Part>");
        add_number(xml, "PartNumber", list->parts[i].number);
        add_time(xml, "LastModified", list->parts[i].modified_ms);
        add_etag(xml, list->parts[i].etag);
        add_number(xml, "Size", list->parts[i].size);
        buffer_add_text(xml, "</Part>");
    }
    buffer_add_text(xml, "</ListPartsResult>");
}

static void add_upload(
    struct buffer *xml, const struct s3_xml_uploads *list, const struct s3_xml_upload *upload)
{
    buffer_add_text(xml, "<Upload>");
    add_name(xml, "Key", upload->key, list->encodes_url);
    add_element(xml, "UploadId", upload->upload_id);
    add_person(xml, "Initiator", list->owner);
    add_person(xml, "Owner", list->owner);
    buffer_add_text(xml, "<StorageClass>STANDARD</StorageClass>");
    add_time(xml, "Initiated", upload->created_ms);
    buffer_add_text(xml, "</Upload>");
}

void s3_xml_list_uploads(struct buffer *xml, const struct s3_xml_uploads *list)
{
    buffer_add_text(xml, DECLARATION "<ListMultipartUploadsResult" NAMESPACE ">");
    add_element(xml, "Bucket", list->bucket);
    add_name(xml, "KeyMarker", list->key_marker, list->encodes_url);
    add_element(xml, "UploadIdMarker", list->upload_id_marker);
    if (list->is_truncated) {
        add_name(xml, "NextKeyMarker", list->next_key_marker, list->encodes_url);
        add_element(xml, "NextUploadIdMarker", list->next_upload_id_marker);
    }
    add_name(xml, "Prefix", list->prefix, list->encodes_url);
    if (list->delimiter.size > 0) {
        add_name(xml, "Delimiter", list->delimiter, list->encodes_url);
    }
    add_number(xml, "MaxUploads", list->max);
    if (list->encodes_url) {
        buffer_add_text(xml, "<EncodingType>url</EncodingType>");
    }
    add_bool(xml, "IsTruncated", list->is_truncated);
    for (size_t i = 0; i < list->count; i++) {
        add_upload(xml, list, &list->uploads[i]);
    }
    add_prefixes(xml, list->prefixes, list->prefix_count, list->encodes_url);
    buffer_add_text(xml, "</ListMultipartUploadsResult>");
}
